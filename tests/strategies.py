"""Named hypothesis strategies that tests share."""

from itertools import pairwise
from typing import Any, Final

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dpdash.core.config import FIELD_NAMES, EngineName, OptimizerName, RunConfig, bounds
from dpdash.core.events import (
    Checkpoint,
    EpochBlock,
    LearningRateChanged,
    RunDiverged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    StopReason,
    TerminalEvent,
)
from dpdash.core.limits import Limits
from dpdash.core.turns import StepTurn, StepTurns


def _whole(setting: str) -> st.SearchStrategy[int]:
    low, high = bounds(setting)
    return st.integers(int(low), int(high))


def _real(setting: str) -> st.SearchStrategy[float]:
    low, high = bounds(setting)
    return st.floats(low, high)


@st.composite
def run_configs(draw: st.DrawFn) -> RunConfig:
    """Every config that is allowed."""
    samples = draw(_whole("samples"))
    engine = draw(st.sampled_from(EngineName))
    replicas = 1 if engine is EngineName.SINGLE else draw(_whole("replicas"))
    gpus = st.lists(st.integers(0, 63), min_size=replicas, max_size=replicas, unique=True)
    return RunConfig(
        samples=samples,
        noise=draw(_real("noise")),
        seed=draw(_whole("seed")),
        epochs=draw(_whole("epochs")),
        learning_rate=draw(_real("learning_rate")),
        optimizer=draw(st.sampled_from(OptimizerName)),
        global_batch_size=draw(st.none() | st.integers(1, samples)),
        engine=engine,
        replicas=replicas,
        devices=None if engine is EngineName.CPU_REPLICAS else draw(st.none() | gpus.map(tuple)),
        hidden_width=draw(_whole("hidden_width")),
        hidden_depth=draw(_whole("hidden_depth")),
        warmup_epochs=draw(_whole("warmup_epochs")),
        bucket_cap_mb=draw(st.none() | _real("bucket_cap_mb")) if engine is EngineName.DDP else None,
        accumulation_steps=draw(_whole("accumulation_steps")) if engine is EngineName.DDP else 1,
    )


def _column(num_epochs: int, width: int) -> st.SearchStrategy[Any]:
    dtype = np.float32 if width == 32 else np.float64
    # Few different values make ties, all of them make extremes.
    values = st.sampled_from([0.0, -0.0, 1.0]) | st.floats(
        width=64 if width == 64 else 32, allow_nan=False, allow_infinity=False
    )
    return npst.arrays(dtype, num_epochs, elements=values)


@st.composite
def epoch_blocks(draw: st.DrawFn, max_epochs: int = 40, first_epoch: int = 1) -> EpochBlock:
    """A block with any finite values."""
    num_epochs = draw(st.integers(1, max_epochs))
    measured = {name: draw(_column(num_epochs, 32)) for name in ("loss", "slope", "intercept")}
    rest = {name: draw(_column(num_epochs, 64)) for name in ("learning_rate", "seconds")}
    return EpochBlock(first_epoch, **measured, **rest)


@st.composite
def cuts_of(draw: st.DrawFn, block: EpochBlock) -> tuple[EpochBlock, ...]:
    """The same epochs cut into consecutive blocks."""
    inner = draw(st.sets(st.integers(1, len(block) - 1))) if len(block) > 1 else set()
    edges = [0, *sorted(inner), len(block)]
    return tuple(part_of(block, begin, end) for begin, end in pairwise(edges))


def part_of(block: EpochBlock, begin: int, end: int) -> EpochBlock:
    """Rows `begin` to `end` of a block."""
    return EpochBlock(
        block.first_epoch + begin,
        loss=block.loss[begin:end],
        slope=block.slope[begin:end],
        intercept=block.intercept[begin:end],
        learning_rate=block.learning_rate[begin:end],
        seconds=block.seconds[begin:end],
    )


# A pause of a shared machine is not a finding.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

FINITE = st.floats(allow_nan=False, allow_infinity=False)
DURATIONS = FINITE.map(abs)
STEP_SECONDS = st.floats(1e-9, 1e6)
STEP_TURN = st.builds(StepTurn, STEP_SECONDS, STEP_SECONDS, st.none() | STEP_SECONDS)
STEP_TURNS = st.builds(StepTurns, st.lists(STEP_TURN, min_size=1, max_size=3).map(tuple), st.booleans())
COUNTS = st.integers(0, 10**6)


def terminal_events() -> st.SearchStrategy[TerminalEvent]:
    """Every way in which a run may end."""
    return st.one_of(
        st.builds(RunFinished, COUNTS, FINITE, FINITE, FINITE),
        st.builds(RunStopped, COUNTS, FINITE, FINITE, FINITE, st.sampled_from(StopReason)),
        st.builds(RunDiverged, COUNTS, COUNTS, FINITE),
        st.builds(RunFailed, COUNTS, st.text(max_size=20), st.text(max_size=20), FINITE),
    )


@st.composite
def run_logs(draw: st.DrawFn) -> tuple[RunEvent, ...]:
    """All that a run said: in order, perhaps with pauses, learning rates and checkpoints, perhaps not yet over."""
    started = RunStarted(
        started_at=draw(FINITE),
        devices=tuple(draw(st.lists(st.text(max_size=5), max_size=3))),
        shard_sizes=tuple(draw(st.lists(st.integers(0, 9), max_size=3))),
        emulated=draw(st.booleans()),
        one_device_step_seconds=draw(st.none() | DURATIONS),
        replicas_step_seconds=draw(st.none() | DURATIONS),
        turns=draw(st.none() | STEP_TURNS),
    )
    log: list[RunEvent] = [started]
    epoch = 0
    for part in draw(epoch_blocks().flatmap(cuts_of)):
        log.append(part)
        epoch = part.last_epoch
        between = draw(st.sampled_from(["nothing", "pause", "rate", "checkpoint"]))
        if between == "pause":
            log += [RunPaused(epoch), RunResumed(epoch)]
        if between == "rate":
            log.append(LearningRateChanged(epoch + 1, draw(FINITE)))
        if between == "checkpoint":
            log.append(Checkpoint(epoch, float(epoch), draw(st.binary(max_size=20))))
    ending = draw(st.none() | terminal_events())
    return (*log, ending) if ending is not None else tuple(log)


HOSTILE_TEXTS: Final = (
    "",
    " ",
    "nan",
    "-inf",
    "-1",
    "0",
    "1e12",
    "1e999",
    "0x10",
    "٣",
    "²",
    "1_000",
    "None",
    "true",
    "[]",
    "{setting}",
    "%s",
    "%",
    "%00",
    "%ED%A0%80",
    "%0A%0A# a",
    "%E2%80%AE",
    "9" * 400,
    "🦄",
    "<script>alert(1)</script>",
    "![a](b)",
    "../../etc/passwd",
    "'; DROP TABLE runs; --",
    "all",
    "adam",
    "single",
)
"""What a hostile link gives a setting for a value."""
HOSTILE_NAMES: Final = (*FIELD_NAMES, "run", "embed", "parameters", "__class__")
HOSTILE_JUNK: Final = ("", "&", "&&&", "x" * 10_000, "&x" * 1_500, "&samples=7" * 1_500)
ANY_CHARACTERS: Final = st.characters(exclude_categories=())
"""Halves of characters too, which `st.text` leaves out."""
HOSTILE_VALUES: Final = st.sampled_from(HOSTILE_TEXTS) | st.text(ANY_CHARACTERS, max_size=30)


@st.composite
def hostile_queries(draw: st.DrawFn) -> str:
    """Query strings, as they stand in an address, that no page of the dashboard has written."""
    names = st.sampled_from(HOSTILE_NAMES) | st.text(ANY_CHARACTERS, max_size=20)
    parameters = draw(st.lists(st.tuples(names, HOSTILE_VALUES), max_size=12))
    junk = draw(st.sampled_from(HOSTILE_JUNK))
    return "&".join(f"{name}={value}" for name, value in parameters) + junk


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """What a server may allow its browsers."""
    return Limits(
        runs_per_browser=draw(st.integers(1, 100)), samples=draw(_whole("samples")), epochs=draw(_whole("epochs"))
    )
