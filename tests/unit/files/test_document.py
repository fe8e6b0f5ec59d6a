import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from dpdash.core.config import RunConfig
from dpdash.core.events import (
    COLUMNS,
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunEvent,
    RunFailed,
    RunStarted,
    RunStopped,
    StopReason,
    TerminalEvent,
)
from dpdash.files.document import ROWS_IN_PART, json_parts
from dpdash.files.run_reader import read_runs
from dpdash.store.transfer import ArrivedRun
from tests.fakes import block_of
from tests.strategies import run_configs, run_logs
from tests.unit.files.made_up import LOG, NUM_EPOCHS, STARTED, file_of, parts_of, whole_run


def columns_of(blocks: tuple[EpochBlock, ...], name: str) -> np.ndarray:
    return np.concatenate([getattr(block, name) for block in blocks])


def consistent(log: tuple[RunEvent, ...]) -> tuple[RunEvent, ...]:
    """The same log as an engine would say it: time goes on, and its end counts the epochs and says something."""
    blocks = [event for event in log if isinstance(event, EpochBlock)]
    num_epochs = sum(map(len, blocks))
    seconds = iter(np.sort(np.abs(np.concatenate([block.seconds for block in blocks]))))
    log = tuple(
        replace(event, seconds=np.array([next(seconds) for _row in event.seconds]))
        if isinstance(event, EpochBlock)
        else event
        for event in log
    )
    *before, last = log
    if isinstance(last, TerminalEvent):
        last = replace(last, seconds=abs(last.seconds))
    if isinstance(last, RunFailed):
        last = replace(last, num_epochs=num_epochs, message="Out of memory")
    elif isinstance(last, RunDiverged):
        last = replace(last, num_epochs=num_epochs, epoch=num_epochs + 1)
    elif isinstance(last, TerminalEvent):
        last = replace(last, num_epochs=num_epochs)
    return (*before, last)


@given(config=run_configs(), log=run_logs().map(consistent))
def test_any_run_comes_back_with_the_very_same_rows(config: RunConfig, log: tuple[RunEvent, ...]) -> None:
    run = whole_run(log, config.model_copy(update={"epochs": 1_000_000}))
    (arrived,) = read_runs(file_of(run))
    sent = tuple(run.blocks())
    for name in COLUMNS:
        assert columns_of(arrived.blocks, name).tobytes() == columns_of(sent, name).tobytes(), "not the same bits"
        assert columns_of(arrived.blocks, name).dtype == columns_of(sent, name).dtype
    assert arrived.config == run.record.config
    assert arrived.learning_rate_changes == run.history.learning_rate_changes
    ended = run.history.ended
    assert arrived.ended == (replace(ended, traceback="") if isinstance(ended, RunFailed) else ended)


def test_a_file_is_json_that_anybody_can_read() -> None:
    head, run, changes, *rows = parts_of(whole_run())
    assert head == {"format": "dpdash runs", "version": 1}
    assert run["run"]["config"]["samples"] == 100
    assert changes == {"learning_rate_changes": [{"epoch": 11, "learning_rate": 0.5}]}
    assert [value for part in rows for value in part["rows"]["loss"]] == [
        *block_of(1, 10).loss.tolist(),
        *block_of(11, 20).loss.tolist(),
    ]


def test_a_long_run_is_written_in_many_small_parts() -> None:
    num_epochs = 3 * ROWS_IN_PART + 5
    run = whole_run((STARTED, block_of(1, num_epochs)), RunConfig(epochs=num_epochs))
    sizes = [len(part["rows"]["loss"]) for part in parts_of(run)[2:]]
    assert sizes == [ROWS_IN_PART] * 3 + [5]
    (arrived,) = read_runs(file_of(run))
    assert sum(map(len, arrived.blocks)) == num_epochs


def test_parts_are_made_only_as_they_are_taken() -> None:
    taken = 0

    def blocks() -> Iterator[EpochBlock]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield block_of(10 * number + 1, 10)

    parts = json_parts([replace(whole_run(), blocks=blocks)])
    for _part in range(10):
        next(parts)
    assert taken <= 10


def test_neither_the_owner_nor_a_traceback_leaves_the_house() -> None:
    failed = RunFailed(NUM_EPOCHS, "Training failed", "File /home/ann/secret.py", 1.0)
    text = file_of(whole_run((*LOG[:-1], failed))).read().decode()
    assert "Training failed" in text
    assert "secret" not in text
    assert "digest of a cookie" not in text


def test_several_runs_come_back_in_their_order() -> None:
    runs = [whole_run(run_id=name, name=name) for name in ("one", "two", "three")]
    assert [run.name for run in read_runs(file_of(*runs))] == ["one", "two", "three"]


def test_a_file_that_an_editor_has_saved_is_read() -> None:
    file = file_of(whole_run())
    saved = b"\xef\xbb\xbf" + file.getvalue().replace(b"\n", b"\r\n").rstrip()
    (arrived,) = read_runs(type(file)(saved))
    assert sum(map(len, arrived.blocks)) == NUM_EPOCHS


def test_what_was_made_of_the_run_comes_along() -> None:
    arrived = only(name="The best", note="two\nlines", tags=("a", "b"), is_complete=False)
    assert (arrived.name, arrived.note, arrived.tags) == ("The best", "two\nlines", ("a", "b"))
    assert arrived.started == STARTED
    assert not arrived.is_complete


def test_a_run_that_was_still_training_has_no_end() -> None:
    (arrived,) = read_runs(file_of(whole_run(LOG[:-1])))
    assert arrived.ended is None


def test_a_run_that_never_began_comes_back_without_a_line() -> None:
    stopped = RunStopped(0, float("nan"), float("nan"), 0.0, StopReason.TEACHER)
    (arrived,) = read_runs(file_of(whole_run((stopped,))))
    assert isinstance(arrived.ended, RunStopped)
    assert np.isnan(arrived.ended.slope)
    assert arrived.ended.reason is StopReason.TEACHER
    assert arrived.blocks == ()


@pytest.mark.parametrize(
    ("created_at", "ended_at", "expected"),
    [(5.0, 7.0, (5.0, 7.0)), (-5.0, 7.0, (0.0, 7.0)), (1e300, 1e301, (99.0, 99.0)), (50.0, 7.0, (50.0, 50.0))],
)
def test_times_are_brought_into_the_past_and_into_order(
    created_at: float, ended_at: float, expected: tuple[float, float]
) -> None:
    file = file_of(whole_run(created_at=created_at, ended_at=ended_at))
    (arrived,) = read_runs(file, clock=lambda: 99.0)
    assert (arrived.created_at, arrived.ended_at) == expected


def test_texts_lose_what_cannot_be_seen_and_what_is_too_long() -> None:
    arrived = only(name=" a\u202eb\x00c\ud800 ", note="x" * 9_999, tags=("  ", "t" * 99, "t" * 99))
    assert arrived.name == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\N{REPLACEMENT CHARACTER}"
    assert len(arrived.note) == 2_000
    assert arrived.tags == ("t" * 24,)


def only(**of_record: object) -> ArrivedRun:
    (arrived,) = read_runs(file_of(whole_run(**of_record)), clock=time.time)  # type: ignore[arg-type]  # a record's
    return arrived


def test_started_is_left_as_it_is_where_it_can_be_shown() -> None:
    started = RunStarted(1e308, ("<b>cpu\n",), (3,), emulated=False, one_device_step_seconds=None)
    (arrived,) = read_runs(file_of(whole_run((started, *LOG[1:]))), clock=lambda: 99.0)
    assert arrived.started is not None
    assert arrived.started.started_at == 99.0
    assert arrived.started.devices == ("<b>cpu\N{REPLACEMENT CHARACTER}",)


def test_changes_of_the_learning_rate_fill_many_parts() -> None:
    changes = tuple(LearningRateChanged(epoch, 0.25) for epoch in range(1, 10_000))
    run = whole_run((STARTED, *changes), RunConfig(epochs=10_000))
    (arrived,) = read_runs(file_of(run))
    assert arrived.learning_rate_changes == changes
