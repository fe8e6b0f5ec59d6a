"""Whether what is said of a step adds up: parts, what others measure of the same step, and a study done again."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, TypeVar

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import RunEvent, RunStarted
from dpdash.core.scaling.curve import Spread
from dpdash.core.scaling.exchange_study import ExchangePlan
from dpdash.core.scaling.plan import LEAST_SECONDS, Point, ScalingMode, StudyPlan
from dpdash.core.scaling.study import AnyStudy, Study, StudyStatus
from dpdash.core.scaling.waterfall import Duration, Part, Waterfall
from dpdash.core.turns import StepTurn, StepTurns
from dpdash.findings.scaling.exchange import CostLine, exchange_curves
from dpdash.findings.scaling.parts import duration, waterfalls
from dpdash.findings.speed_up import speed_up
from dpdash.scaling.live import LiveStudy
from dpdash.scaling.service import new_exchange, new_study
from dpdash.training.control import RunControl
from dpdash.training.processes.child import started
from dpdash.training.processes.handle import TrainingProcess
from dpdash.training.processes.pool import MODULE
from tests.bench.figure import Figure

ENGINES: Final = (EngineName.CPU_REPLICAS, EngineName.DDP)
LONGEST_SECONDS: Final = 90.0
SHARE_REPEATED: Final = 0.9
ERRORS: Final = 2
"""Combined standard errors within which two measurements of one thing have to lie."""
LARGEST_CHANGE: Final = 0.2
ONE_THREAD: Final = 1
START_SECONDS: Final = 60.0

S = TypeVar("S", bound=AnyStudy)
Parts = dict[tuple[EngineName, int, Part], Duration]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    replicas: int
    repeats: int
    seconds: float
    num_studies: int
    num_runs: int
    """That Train's own measurement of a step is taken from."""


FULL: Final = Size(replicas=4, repeats=7, seconds=0.25, num_studies=4, num_runs=7)
QUICK: Final = Size(replicas=2, repeats=2, seconds=0.05, num_studies=2, num_runs=2)


def measure(size: Size) -> Iterator[Figure]:
    """Studies of two engines one after the other, and Train's measurements of the same steps behind them."""
    took, studies = [], []
    for _ in range(size.num_studies):
        began = time.perf_counter()
        studies.append(_study(size))
        took.append(time.perf_counter() - began)
    yield Figure(
        "a study of 2 engines × 4 replicas",
        f"{size.num_studies} studies of width 64, depth 1 and 10,000 samples, {size.repeats} turns of "
        f"{size.seconds} s each, from its start to its end, its processes too",
        tuple(took),
        "s",
        "at most",
        LONGEST_SECONDS,
    )
    others = [one.other_programs for study in studies for one in study.measurements]
    yield Figure(
        "cores that other programs took meanwhile",
        "the share of them during each measurement of those studies",
        tuple(share for share in others if share is not None),
    )
    yield _sums(studies)
    yield _repeated(studies)
    yield from _as_train_says(studies[-1], size)
    yield _ratios(studies[-1], size)
    yield from _exchanges(size)


def _ratios(study: Study, size: Size) -> Figure:
    """How many ratios are on Parallelism, which measures one number of replicas, what they are on Scaling."""
    alone = {
        (each.engine, each.replicas): each.speed_up
        for count in study.plan.replica_counts
        for each in waterfalls(_study(size, count))
    }
    agree = [_same_ratio(each.speed_up, alone[each.engine, each.replicas]) for each in waterfalls(study)]
    return Figure(
        "ratios that Parallelism and Scaling agree in",
        f"the share of the {len(agree)} numbers of replicas whose speed-ups, in the last study and in one of that "
        f"number alone, differ by less than {ERRORS} combined standard errors",
        (_share(agree),),
        "",
        "at least",
        SHARE_REPEATED,
    )


def _exchanges(size: Size) -> Iterator[Figure]:
    """Latency and time per byte of two ranks, in one study after the other."""
    lines = [_line(size) for _ in range(size.num_studies)]
    for name, values in (
        ("latency of an exchange", [line.latency for line in lines]),
        ("time of its bytes", [line.per_byte for line in lines]),
    ):
        yield Figure(
            f"{name}, in the next study",
            f"how far that of two ranks is from the study before, as a share of it; {size.num_studies} studies",
            tuple(abs(after / before - 1) for before, after in pairwise(values)),
            "",
            "at most",
            LARGEST_CHANGE,
        )


def _line(size: Size) -> CostLine:
    values = {"replicas": 2, "samples": 10_000, "hidden_width": 512, "hidden_depth": 2}
    plan = ExchangePlan.parse(values | {"repeats": size.repeats, "seconds": LEAST_SECONDS})
    line = exchange_curves(_finished(LiveStudy(new_exchange(plan, "bench"))))[0].line
    assert line is not None
    return line


def _study(size: Size, only: int | None = None) -> Study:
    """A study of all numbers of replicas, or of one."""
    plan = StudyPlan(
        engines=ENGINES,
        mode=ScalingMode.STRONG,
        replicas=only or size.replicas,
        counts=None if only is None else (only,),
        samples=10_000,
        hidden_widths=(64,),
        hidden_depth=1,
        repeats=size.repeats,
        seconds=size.seconds,
    )
    return _finished(LiveStudy(new_study(plan, "bench")))


def _finished(live: LiveStudy[S]) -> S:
    live.start()
    live.wait()
    study = live.snapshot().study
    assert study.status is StudyStatus.FINISHED, study.message
    return study


def _sums(studies: Iterable[Study]) -> Figure:
    """Of every step, whether its parts add up to it, to the nanosecond."""
    found = [waterfall for study in studies for waterfall in waterfalls(study)]
    sums = [sum(part.nanoseconds for part in each.parts.values()) for each in found]
    return Figure(
        "steps whose parts add up to them, to the digit",
        f"the share of the {len(found)} steps of those studies",
        (_share(each.step.nanoseconds == whole for each, whole in zip(found, sums, strict=True)),),
        "",
        "at least",
        1.0,
    )


def _repeated(studies: Sequence[Study]) -> Figure:
    """How many parts two studies one after the other agree in."""
    parts = [_parts(waterfalls(study)) for study in studies]
    shares = [
        _share(_agree(first[name], second[name]) for name in first.keys() & second.keys())
        for first, second in pairwise(parts)
    ]
    return Figure(
        "parts that are the same in the next study",
        f"the share of those that differ by less than {ERRORS} combined standard errors, in each pair of studies "
        "one after the other",
        tuple(shares),
        "",
        "at least",
        SHARE_REPEATED,
    )


def _as_train_says(study: Study, size: Size) -> Iterator[Figure]:
    """How many steps and ratios Train measures as the study did: a run measures its step before it begins."""
    found = waterfalls(study)
    process = TrainingProcess(started(MODULE, ONE_THREAD), lambda _process: None)
    process.wait_until_ready(START_SECONDS)
    try:
        measured = [
            _of_runs(
                process, study.plan.config(Point(each.engine, each.replicas, each.hidden_width)), size.num_runs
            )
            for each in found
        ]
    finally:
        process.hang_up()
        process.end()
    both = list(zip(found, measured, strict=True))
    for name, agree in (
        ("steps", [_agree(each.step, duration(turns.replicas)) for each, turns in both]),
        (
            "ratios",
            [_same_ratio(each.speed_up, speed_up(turns.one_device, turns.replicas)) for each, turns in both],
        ),
    ):
        yield Figure(
            f"{name} that Train measures as the study did",
            f"the share of the {len(found)} {name} of the last study that differ from those of the turns of "
            f"{size.num_runs} runs by less than {ERRORS} combined standard errors",
            (_share(agree),),
            "",
            "at least",
            SHARE_REPEATED,
        )


def _of_runs(process: TrainingProcess, config: RunConfig, num_runs: int) -> StepTurns:
    """What a step takes on the replicas and beside them, a turn for each run: the median of those that it took."""
    turns: list[StepTurn] = []
    for _ in range(num_runs):
        control = RunControl()

        def hear(event: RunEvent, control: RunControl = control) -> None:
            if isinstance(event, RunStarted):
                assert event.turns is not None
                turns.append(StepTurn(median(event.turns.replicas), median(event.turns.one_device)))
                control.stop()

        process.run(config, hear, control)
    return StepTurns(tuple(turns))


def _same_ratio(first: Spread, second: Spread) -> bool:
    error = math.hypot(first.standard_error, second.standard_error)
    return abs(first.median - second.median) < ERRORS * error


def _parts(found: Iterable[Waterfall]) -> Parts:
    return {(each.engine, each.replicas, part): size for each in found for part, size in each.parts.items()}


def _agree(first: Duration, second: Duration) -> bool:
    return abs(first.nanoseconds - second.nanoseconds) < ERRORS * math.hypot(first.error, second.error)


def _share(held: Iterable[bool]) -> float:
    each = tuple(held)
    return sum(each) / len(each)
