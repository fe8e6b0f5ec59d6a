import threading
from pathlib import Path

import pytest

from dpdash.training.ddp.shared_words import RELEASED, ControlWord
from tests.fakes import eventually


@pytest.fixture
def words(tmp_path: Path) -> list[ControlWord]:
    """The same memory, as three ranks see it."""
    path = tmp_path / "word"
    ControlWord.create(path, 3)
    return [ControlWord(path, 3) for _rank in range(3)]


def test_nothing_may_be_entered_at_first(words: list[ControlWord]) -> None:
    assert [word._counts[RELEASED] for word in words] == [0, 0, 0]


def test_a_rank_enters_what_is_released_at_the_rate_set_for_it(words: list[ControlWord]) -> None:
    words[0].set_learning_rate(0.5, 0)
    words[0].release(1)
    assert words[1].enter(1, 1, 0) == words[2].enter(2, 1, 0) == 0.5


def test_a_rank_waits_for_an_epoch_that_is_not_released(words: list[ControlWord]) -> None:
    entered = threading.Event()

    def follow() -> None:
        words[1].enter(1, 2, 0)
        entered.set()

    words[0].release(1)
    thread = threading.Thread(target=follow)
    thread.start()
    assert not entered.wait(0.05)
    words[0].release(2)
    thread.join(10)
    assert entered.is_set()


def test_the_rate_changes_only_when_every_rank_is_in_the_last_epoch(words: list[ControlWord]) -> None:
    words[0].set_learning_rate(0.5, 0)
    words[0].release(2)
    words[1].enter(1, 2, 0)
    thread = threading.Thread(target=words[0].set_learning_rate, args=(0.1, 2))
    thread.start()
    assert words[2].enter(2, 1, 0) == 0.5, "rank 2 is an epoch behind, which is still trained at the old rate"
    assert thread.is_alive()
    assert words[2].enter(2, 2, 0) == 0.5
    thread.join(10)
    assert not thread.is_alive()
    eventually(lambda: words[1].learning_rate == 0.1)


def test_a_rank_that_waits_is_asked_to_trace_once_for_each_time(words: list[ControlWord]) -> None:
    words[0].ask_for_trace()
    words[0].ask_for_trace()
    assert [words[1].enter(1, 1, num_traces) for num_traces in (0, 1)] == [None, None]
    words[0].release(1)
    assert words[1].enter(1, 1, 2) is not None


def test_an_epoch_released_before_a_trace_is_entered_before_it(words: list[ControlWord]) -> None:
    words[0].release(1)
    words[0].ask_for_trace()
    assert words[2].enter(2, 1, 0) is not None
    assert words[2].enter(2, 2, 0) is None


def test_a_trace_ends_a_wait(words: list[ControlWord]) -> None:
    returned: list[float | None] = []
    thread = threading.Thread(target=lambda: returned.append(words[1].enter(1, 1, 0)))
    thread.start()
    words[0].ask_for_trace()
    thread.join(10)
    assert returned == [None]
