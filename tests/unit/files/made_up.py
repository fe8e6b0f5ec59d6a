"""Whole runs that nobody trained, and files of them."""

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock, LearningRateChanged, RunEvent, RunFinished, RunStarted, RunStatus
from dpdash.core.history import History
from dpdash.core.turns import StepTurn, StepTurns
from dpdash.files.document import json_parts
from dpdash.files.run import WholeRun
from dpdash.store.rows import RunRecord
from tests.fakes import block_of

STARTED = RunStarted(
    5.0,
    ("cpu:0", "cpu:1"),
    (3, 4),
    emulated=True,
    one_device_step_seconds=0.25,
    turns=StepTurns((StepTurn(0.25, 0.5, 0.375), StepTurn(0.25, 0.5)), is_on_gpus=True),
)
NUM_EPOCHS = 30
LOG: tuple[RunEvent, ...] = (
    STARTED,
    block_of(1, 10),
    LearningRateChanged(11, 0.5),
    block_of(11, 20),
    RunFinished(NUM_EPOCHS, 2.5, 0.125, 4.5),
)


def whole_run(
    log: Sequence[RunEvent] = LOG, config: RunConfig | None = None, run_id: str = "abc", **of_record: Any
) -> WholeRun:
    """A run that said this."""
    history = History()
    for event in log:
        history.fold(event)
    now = history.snapshot()
    slope, intercept = now.line or (None, None)
    record = RunRecord(
        run_id=run_id,
        config=config or RunConfig(samples=100, epochs=NUM_EPOCHS),
        owner="the digest of a cookie",
        status=now.status if now.ended else RunStatus.RUNNING,
        created_at=1000.5,
        ended_at=2000.25,
        num_epochs=now.num_epochs,
        loss=now.latest.loss if now.latest else None,
        slope=slope,
        intercept=intercept,
        seconds=now.seconds,
        message=None,
        learning_rate_changes=now.learning_rate_changes,
    )
    parts = [event for event in log if isinstance(event, EpochBlock)]
    return WholeRun(replace(record, **of_record), now, lambda: iter(parts))


def file_of(*runs: WholeRun) -> io.BytesIO:
    """An exported file."""
    return io.BytesIO(b"".join(json_parts(runs)))


def parts_of(*runs: WholeRun) -> list[Any]:
    """The same, parsed."""
    parts: list[Any] = [json.loads(line) for line in file_of(*runs)]
    return parts


def file_with(parts: Iterable[object]) -> io.BytesIO:
    """Any values as a file, one a line."""
    return io.BytesIO("\n".join(map(json.dumps, parts)).encode())
