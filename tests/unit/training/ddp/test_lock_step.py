"""What a rank of DDP does between its epochs, without a process of its own."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import optim

from dpdash.training.ddp.lock_step import in_step
from dpdash.training.ddp.sharded import Ranks
from dpdash.training.ddp.shared_words import RELEASED, ControlWord
from dpdash.training.loop.epoch import EpochTrainer
from tests.fakes import eventually


class Recorder:
    """A trainer and a tracer that only note when they are called."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def train(self, row: int) -> None:
        self.done.append(row)

    def losses(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return rows[:, 0]

    def take_part(self, optimizer: optim.Optimizer) -> None:
        self.done.append("traced")


def training_of(rank: int, folder: Path, recorder: Recorder) -> tuple[EpochTrainer, optim.Optimizer, ControlWord]:
    """A rank's training in step with one other."""
    word = ControlWord(folder / "word", 2)
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    return in_step(recorder, optimizer, Ranks(rank, 2, word), recorder.take_part), optimizer, word


def test_a_follower_takes_part_where_the_leader_asks_and_goes_on(tmp_path: Path) -> None:
    ControlWord.create(tmp_path / "word", 2)
    recorder = Recorder()
    following, optimizer, leader = training_of(1, tmp_path, recorder)

    def train(num_epochs: int) -> None:
        for row in range(num_epochs):
            following.train(row)

    leader.set_learning_rate(0.25, 0)
    leader.ask_for_trace()
    thread = threading.Thread(target=train, args=(2,))
    thread.start()
    eventually(lambda: len(recorder.done) == 1)
    leader.release(1)
    eventually(lambda: len(recorder.done) == 2)
    leader.ask_for_trace()
    eventually(lambda: len(recorder.done) == 3)
    leader.release(2)
    thread.join(10)
    assert recorder.done == ["traced", 0, "traced", 1]
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_the_leader_releases_what_it_enters_and_is_never_asked(tmp_path: Path) -> None:
    ControlWord.create(tmp_path / "word", 2)
    recorder = Recorder()
    leading, _optimizer, word = training_of(0, tmp_path, recorder)
    leading.train(0)
    assert (recorder.done, word._counts[RELEASED], word.learning_rate) == ([0], 1, 0.5)


def test_a_learning_rate_that_is_moved_meanwhile_reaches_every_rank(tmp_path: Path) -> None:
    ControlWord.create(tmp_path / "word", 2)
    recorder = Recorder()
    leading, leaders, word = training_of(0, tmp_path, recorder)
    following, followers, _word = training_of(1, tmp_path, recorder)
    for rate in (0.5, 0.125, 0.25):
        leaders.param_groups[0]["lr"] = rate
        leading.train(0)
        assert word.learning_rate == rate
        following.train(0)
        assert followers.param_groups[0]["lr"] == rate
