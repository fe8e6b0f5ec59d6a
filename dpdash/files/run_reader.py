"""Runs as they come in from a file, checked field by field; nothing of what they say is believed unseen."""

import math
import time
from collections.abc import Callable
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_, ConfigError, RunFileError
from dpdash.core.events import (
    COLUMNS,
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    TerminalEvent,
)
from dpdash.core.own_data import LARGEST, Table
from dpdash.core.turns import StepTurn, StepTurns
from dpdash.core.validation import MISSING, shown
from dpdash.files.bounds import (
    LONGEST_MESSAGE,
    MOST_FILE_DATA_ROWS,
    MOST_FILE_EPOCHS,
    MOST_RUNS,
)
from dpdash.files.json_reader import objects
from dpdash.files.parts import (
    ChangesPart,
    DataPart,
    EndedPart,
    HeadPart,
    RowsPart,
    RunPart,
    StartedPart,
    TurnsPart,
    checked,
    refused,
)
from dpdash.store.query import LONGEST_NAME, LONGEST_NOTE, LONGEST_TAG
from dpdash.store.transfer import ArrivedRun

OTHER_DATA: Final = N_(
    "The run in part {part} of the file names own data that the file does not have. Export the run again."
)
NO_LINES: Final = "\n"

UNEXPECTED: Final = N_(
    "Part {part} of the file is neither a run nor its rows, learning rates or own data. Received: "
    "{received}. Export "
    "the run again."
)
NO_RUN_YET: Final = N_("Part {part} of the file belongs to no run. Put its run before it, or export again.")
NO_RUNS: Final = N_("There is no run in the file. Export one with dpdash.")
TOO_MANY_RUNS: Final = N_("The file has more than {limit} runs. Export fewer runs into one file.")
TOO_MUCH_DATA: Final = N_(
    "The file has more than {limit} rows of own data. Export runs of different data into files of their own."
)
TOO_MANY_EPOCHS: Final = N_("The file has more than {limit} epochs. Export fewer runs into one file.")
BAD_SETTINGS: Final = N_("The settings of the run in part {part} of the file are not allowed. {problems}")
UNEVEN: Final = N_(
    "{field} in part {part} of the file must have as many numbers as loss, {limit}. Received: {received}. "
    "Export the run again."
)
BAD_NUMBERS: Final = N_(
    "{field} in part {part} of the file must be finite numbers. Received: {received}. Correct it, or export again."
)
TURNED_BACK: Final = N_(
    "seconds in part {part} of the file must begin at {limit} or later, and never fall. Received: {received}. "
    "Export the run again."
)
GAP: Final = N_(
    "The rows in part {part} of the file must go on with epoch {limit}. Received: {received}. Export the run "
    "again."
)
BEYOND_SETTINGS: Final = N_(
    "The rows in part {part} of the file go to epoch {received}, but the run has {limit}. Export the run again."
)
MISCOUNTED: Final = N_(
    "A run in the file says that it trained {received} epochs, and has the rows of {limit}. Export it again."
)


def read_runs(file: IO[bytes], clock: Callable[[], float] = time.time) -> tuple[ArrivedRun, ...]:
    """The runs of a file that `json_parts` has written; `clock` is Unix time in seconds.

    Raises:
        RunFileError: with one sentence about the first thing that is not as it should be.
    """
    parts = objects(file)
    checked(HeadPart, next(parts), part=1)
    runs: list[_Arriving] = []
    num_epochs = num_data_rows = 0
    for number, part in enumerate(parts, start=2):
        kind, values = _kind_of(part, number)
        if kind == "run":
            if len(runs) == MOST_RUNS:
                raise RunFileError(TOO_MANY_RUNS, limit=MOST_RUNS)
            runs.append(_Arriving(checked(RunPart, values, number), number))
        elif not runs:
            raise RunFileError(NO_RUN_YET, part=number)
        elif kind == "data":
            num_data_rows += runs[-1].add_data(checked(DataPart, values, number), number)
            _require_at_most(MOST_FILE_DATA_ROWS, num_data_rows, TOO_MUCH_DATA)
        elif kind == "rows":
            num_epochs += runs[-1].take_rows(checked(RowsPart, values, number), number)
            _require_at_most(MOST_FILE_EPOCHS, num_epochs, TOO_MANY_EPOCHS)
        else:
            runs[-1].take_changes(checked(ChangesPart, part, number), number)
    if not runs:
        raise RunFileError(NO_RUNS)
    arrived = dict[str, Table]()
    for run in runs:
        run.take_data(arrived)
    return tuple(run.arrived(clock()) for run in runs)


def _require_at_most(limit: int, received: int, rule: str) -> None:
    if received > limit:
        raise RunFileError(rule, limit=limit)


def _kind_of(part: dict[str, Any], number: int) -> tuple[str, Any]:
    if len(part) == 1:
        (kind, values), *_ = part.items()
        if kind in ("run", "data", "rows", "learning_rate_changes"):
            return kind, values
    raise RunFileError(UNEXPECTED, part=number, received=shown(", ".join(map(str, [*part][:3]))))


class _Arriving:
    """A run whose epochs are still coming."""

    def __init__(self, part: RunPart, number: int) -> None:
        try:
            self._config = RunConfig.parse(part.config)
        except ConfigError as error:
            raise RunFileError(BAD_SETTINGS, part=number, problems=error) from None
        self._part = part
        self._ended = None if part.ended is None else _ended(part.ended, number)
        self._changes: list[LearningRateChanged] = []
        self._blocks: list[EpochBlock] = []
        self._num_epochs = 0
        self._number = number
        self._data: list[NDArray[np.float64]] = []
        """The own data that have come so far, shape (2, num_rows) each."""
        self._table: Table | None = None

    def add_data(self, part: DataPart, number: int) -> int:
        """Take the next rows of the run's own data; how many they are."""
        columns = []
        for name in ("x", "y"):
            values = getattr(part, name)
            column = _numbers(values, np.float64)
            if column is None or len(values) != len(part.x) or not (np.abs(column) <= LARGEST).all():
                raise RunFileError(BAD_NUMBERS, field=name, part=number, received=_first_odd(values))
            columns.append(column)
        self._data.append(np.stack(columns))
        return len(part.x)

    def take_data(self, arrived: dict[str, Table]) -> None:
        """Find the run's own data among what has arrived of it, or of the runs before it.

        Raises:
            RunFileError: when they are others than the run says.
        """
        if self._data:
            table = Table(*np.concatenate(self._data, axis=1))
            arrived[table.digest] = table
            self._data = []
        own = self._config.data
        if own is None:
            return
        self._table = arrived.get(own.digest)
        if self._table is None or len(self._table) != own.rows:
            raise RunFileError(OTHER_DATA, part=self._number)

    def take_rows(self, rows: RowsPart, number: int) -> int:
        """Take the next epochs; how many they are."""
        block = _block(rows, number)
        if block.first_epoch != self._num_epochs + 1:
            raise RunFileError(GAP, part=number, limit=self._num_epochs + 1, received=block.first_epoch)
        if block.last_epoch > self._config.epochs:
            raise RunFileError(BEYOND_SETTINGS, part=number, limit=self._config.epochs, received=block.last_epoch)
        self._require_time_goes_on(block, number)
        self._blocks.append(block)
        self._num_epochs = block.last_epoch
        return len(block)

    def _require_time_goes_on(self, block: EpochBlock, number: int) -> None:
        begun = float(self._blocks[-1].seconds[-1]) if self._blocks else 0.0
        falls = np.flatnonzero(np.diff(block.seconds, prepend=begun) < 0)
        if falls.size:
            received = float(block.seconds[falls[0]])
            raise RunFileError(TURNED_BACK, part=number, limit=shown(begun), received=shown(received))

    def take_changes(self, part: ChangesPart, number: int) -> None:
        """Take the next learning rates; there is at most one an epoch."""
        if len(self._changes) + len(part.learning_rate_changes) > self._config.epochs:
            raise RunFileError(
                BEYOND_SETTINGS, part=number, limit=self._config.epochs, received=len(self._changes) + 1
            )
        self._changes += [
            LearningRateChanged(change.epoch, change.learning_rate) for change in part.learning_rate_changes
        ]

    def arrived(self, now: float) -> ArrivedRun:
        """The run whole, with times that can be and texts that can be shown."""
        part, ended = self._part, self._ended
        if ended is not None and part.is_complete and ended.num_epochs != self._num_epochs:
            raise RunFileError(MISCOUNTED, received=ended.num_epochs, limit=self._num_epochs)
        created_at = min(max(part.created_at, 0.0), now)
        return ArrivedRun(
            config=self._config,
            created_at=created_at,
            ended_at=min(max(part.ended_at or created_at, created_at), now),
            started=None if part.started is None else _started(part.started, now),
            learning_rate_changes=tuple(self._changes),
            blocks=tuple(self._blocks),
            ended=ended,
            name=None if part.name is None else readable(part.name, LONGEST_NAME) or None,
            note=readable(part.note, LONGEST_NOTE, keep=NO_LINES),
            tags=tuple(dict.fromkeys(tag for text in part.tags if (tag := readable(text, LONGEST_TAG)))),
            is_complete=part.is_complete,
            table=self._table,
        )


def readable(text: str, longest: int, keep: str = "") -> str:
    """A text without signs that cannot be seen, or that turn a line around, and not too long to show."""
    signs = (
        sign if sign.isprintable() or sign in keep else "\N{REPLACEMENT CHARACTER}" for sign in text[:longest]
    )
    return "".join(signs).strip()


def _block(rows: RowsPart, number: int) -> EpochBlock:
    columns = {}
    for name in COLUMNS:
        values = getattr(rows, name)
        if len(values) != len(rows.loss):
            raise RunFileError(UNEVEN, field=name, part=number, limit=len(rows.loss), received=len(values))
        columns[name] = _numbers(values, np.float32 if name in rows.single_precision else np.float64)
        if columns[name] is None:
            raise RunFileError(BAD_NUMBERS, field=name, part=number, received=_first_odd(values))
    return EpochBlock(rows.first_epoch, **columns)


def _numbers(values: list[Any], dtype: type[np.float32] | type[np.float64]) -> Any:
    """The values as a column, shape (num_epochs,); None when one of them is no finite number of that width."""
    if not set(map(type, values)) <= {int, float}:
        return None
    try:
        with np.errstate(over="ignore"):
            column = np.asarray(values, dtype=np.float64).astype(dtype)
    except OverflowError:
        return None
    return column if np.isfinite(column).all() else None


def _first_odd(values: list[Any]) -> str:
    """What is no number, or the number that is the farthest from all others."""
    odd = [value for value in values if type(value) not in (int, float)]
    return shown(odd[0] if odd else max(values, key=abs))


def _started(part: StartedPart, now: float) -> RunStarted:
    return RunStarted(
        started_at=min(max(part.started_at, 0.0), now),
        devices=tuple(readable(device, LONGEST_NAME) for device in part.devices),
        shard_sizes=tuple(part.shard_sizes),
        emulated=part.emulated,
        one_device_step_seconds=part.one_device_step_seconds,
        replicas_step_seconds=part.replicas_step_seconds,
        turns=None if part.turns is None else _turns(part.turns),
    )


def _turns(part: TurnsPart) -> StepTurns:
    turns = (StepTurn(turn.replicas, turn.one_device, turn.whole_cpu) for turn in part.turns)
    return StepTurns(tuple(turns), part.is_on_gpus)


def _ended(part: EndedPart, number: int) -> TerminalEvent:
    if part.kind == "RunDiverged":
        return RunDiverged(part.num_epochs, part.epoch, part.seconds)
    if part.kind == "RunFailed":
        message = readable(part.message, LONGEST_MESSAGE)
        if not message:
            raise refused("run.ended.message", number, MISSING)
        return RunFailed(part.num_epochs, message, "", part.seconds)
    # A run that never began has no line.
    for name in ("slope", "intercept"):
        if part.num_epochs and getattr(part, name) is None:
            raise refused(f"run.ended.{name}", number, MISSING)
    slope = math.nan if part.slope is None else part.slope
    intercept = math.nan if part.intercept is None else part.intercept
    if part.kind == "RunFinished":
        return RunFinished(part.num_epochs, slope, intercept, part.seconds)
    return RunStopped(part.num_epochs, slope, intercept, part.seconds, part.reason)
