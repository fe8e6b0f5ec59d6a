"""Measures a study, round after round, so that the noise of a moment hits all alike."""

import math
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Final, Generic, TypeVar

from dpdash.core.config import EngineName
from dpdash.core.errors import N_, EngineUnavailableError
from dpdash.core.scaling.exchange_study import DdpStep, ExchangeStudy, Subject, Timing, Transfer
from dpdash.core.scaling.plan import Point, StudyPlan
from dpdash.core.scaling.study import AnyStudy, Measurement, Study
from dpdash.core.scaling.variants import Variant
from dpdash.scaling.messages import Fitted, Measured, Order
from dpdash.training import catalog
from dpdash.training.variants.measurer import Exchanger, Measurer

WARM_UP_SHARE: Final = 0.2
"""Of a measurement's time: what costs more the first time is paid then."""
USUAL_OVERHEAD_SECONDS: Final = 0.1
"""What a measurement takes beside its own time, until it is known."""
ALWAYS_MEASURED: Final = 2
"""Numbers of replicas that are never left out: the most and the fewest."""
SPARE: Final = 1.05
"""How much more time a round may take than the one before."""

Turn = tuple[Point, Variant]
S = TypeVar("S", bound=AnyStudy)
T = TypeVar("T")


def require_engines(plan: StudyPlan) -> None:
    """Check that this machine can measure all of it.

    Raises:
        EngineUnavailableError: for the first point that it cannot.
    """
    for point in plan.points:
        if point.engine not in catalog.ENGINES:
            raise EngineUnavailableError(
                N_("This dpdash has no engine {engine}. Try the engine {hint}."),
                engine=point.engine,
                hint=EngineName.CPU_REPLICAS,
            )
        catalog.require(plan.config(point))


def by_weight(counts: Sequence[int]) -> tuple[int, ...]:
    """Numbers of replicas, the most telling first: the most, the fewest, and each time the farthest from those."""
    left, chosen = sorted(counts), [max(counts)]
    left.remove(chosen[0])
    while left:
        farthest = max(left, key=lambda count: min(abs(count - other) for other in chosen))
        left.remove(farthest)
        chosen.append(farthest)
    return tuple(chosen)


class Rounds(ABC, Generic[S, T]):
    """The rounds of a study. What does not fit into its time is left out before any of it is measured.

    There are fewer numbers of replicas before there are fewer rounds; the most and the fewest always stay.
    """

    def __init__(
        self,
        order: Order[S],
        others: Callable[[], float | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`others` tells what share of the cores other programs took since it was asked; `clock` gives seconds."""
        self._study, self._others, self._clock = order.study, others, clock
        self._deadline = math.inf if order.deadline is None else order.deadline
        self._took: dict[T, float] = {}
        """Seconds of each turn when it was last taken."""
        self._num_taken: Counter[T] = Counter()

    @abstractmethod
    def _turns(self, study: S) -> tuple[T, ...]:
        """All turns of a round, in their order."""

    @abstractmethod
    def _replicas(self, turn: T) -> int:
        """Of a turn; 1 for what others are compared with."""

    @abstractmethod
    def _kind(self, turn: T) -> object:
        """What turns have in common that take about as long."""

    @abstractmethod
    def _warm_up(self) -> None:
        """Pay for what costs more the first time."""

    @abstractmethod
    def _measured(self, turn: T, repeat: int) -> Measurement | Timing:
        """Take a turn.

        Raises:
            MeasuringError: when it cannot be measured.
        """

    def measure(self) -> Iterator[Fitted | Measured]:
        """All measurements as they come.

        Raises:
            MeasuringError: when one cannot be had.
        """
        self._warm_up()
        yield from self._first_round()
        repeat = 1
        while repeat < (rounds := self._rounds_that_fit(repeat)):
            if rounds != self._study.num_rounds:
                yield self._fit(rounds=rounds)
            yield from self._take(self._turns(self._study), repeat)
            repeat += 1
        if repeat != self._study.num_rounds:
            yield self._fit(rounds=repeat)

    def _first_round(self) -> Iterator[Fitted | Measured]:
        seconds = (self._deadline - self._clock()) / SPARE
        yield from self._take([turn for turn in self._turns(self._study) if self._replicas(turn) == 1], 0)
        counts = by_weight(self._study.plan.replica_counts)
        for number, count in enumerate(counts):
            with_it = replace(self._study, left_out=tuple(sorted(counts[number + 1 :])))
            if number >= ALWAYS_MEASURED and self._seconds_of(with_it) > seconds:
                yield self._fit(left_out=tuple(sorted(counts[number:])))
                return
            yield from self._take([turn for turn in self._turns(self._study) if self._replicas(turn) == count], 0)

    def _rounds_that_fit(self, num_done: int) -> int:
        """How many rounds there will be, when so many are done."""
        if self._deadline == math.inf:
            return self._study.plan.repeats
        one_round = self._seconds_of(replace(self._study, rounds=1))
        more = (self._deadline - self._clock()) / (one_round * SPARE)
        return min(self._study.plan.repeats, num_done + max(0, int(more)))

    def _fit(self, *, left_out: tuple[int, ...] | None = None, rounds: int | None = None) -> Fitted:
        if left_out is not None:
            self._study = replace(self._study, left_out=left_out)
        if rounds is not None:
            self._study = replace(self._study, rounds=rounds if rounds < self._study.plan.repeats else None)
        return Fitted(self._study.left_out, self._study.rounds)

    def _take(self, turns: Sequence[T], repeat: int) -> Iterator[Measured]:
        for turn in turns:
            began = self._clock()
            measurement = self._measured(turn, repeat)
            self._took[turn] = self._clock() - began
            self._num_taken[turn] += 1
            yield Measured(measurement, self._seconds_left())

    def _seconds_left(self) -> float:
        rounds = self._study.num_rounds
        return sum(self._expected(turn) * (rounds - self._num_taken[turn]) for turn in self._turns(self._study))

    def _seconds_of(self, study: S) -> float:
        """What a study takes as far as is known."""
        return study.num_rounds * sum(map(self._expected, self._turns(study)))

    def _expected(self, turn: T) -> float:
        if turn in self._took:
            return self._took[turn]
        kind = self._kind(turn)
        alike = [seconds for other, seconds in self._took.items() if self._kind(other) == kind]
        usual = self._study.plan.seconds + USUAL_OVERHEAD_SECONDS
        return fmean(alike or self._took.values()) if self._took else usual


class StudyRounds(Rounds[Study, Turn]):
    """Those of a study of how training scales."""

    def __init__(
        self,
        order: Order[Study],
        measurer: Measurer,
        others: Callable[[], float | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(order, others, clock)
        self._measurer, self._plan = measurer, order.study.plan

    def _turns(self, study: Study) -> tuple[Turn, ...]:
        return tuple((point, way) for point in study.points for way in study.ways(point))

    def _replicas(self, turn: Turn) -> int:
        return turn[0].replicas

    def _kind(self, turn: Turn) -> EngineName:
        return turn[0].engine

    def _warm_up(self) -> None:
        width = min(self._plan.hidden_widths)
        for name in (EngineName.SINGLE, *self._plan.engines):
            replicas = 1 if name is EngineName.SINGLE else self._plan.replicas
            config = self._plan.config(Point(name, replicas, width))
            self._measurer.measure(config, Variant.ENGINE, self._plan.seconds * WARM_UP_SHARE)

    def _measured(self, turn: Turn, repeat: int) -> Measurement:
        point, way = turn
        config = self._plan.config(point)
        steady = self._measurer.measure(config, way, self._plan.seconds)
        return Measurement(
            point=point,
            repeat=repeat,
            samples=config.samples,
            steps_per_second=1 / steady.step_seconds,
            emulated=point.engine is EngineName.CPU_REPLICAS,
            variant=way,
            other_programs=self._others(),
            waiting_seconds=steady.waiting_seconds,
        )


class ExchangeRounds(Rounds[ExchangeStudy, Subject]):
    """Those of a study of what an exchange costs."""

    def __init__(
        self,
        order: Order[ExchangeStudy],
        exchanger: Exchanger,
        others: Callable[[], float | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(order, others, clock)
        self._exchanger, self._plan = exchanger, order.study.plan

    def _turns(self, study: ExchangeStudy) -> tuple[Subject, ...]:
        return study.turns

    def _replicas(self, turn: Subject) -> int:
        return turn.replicas

    def _kind(self, turn: Subject) -> object:
        # How long it takes depends on the bytes above all.
        return turn.num_bytes if isinstance(turn, Transfer) else DdpStep

    def _warm_up(self) -> None:
        self._exchanger.measure(
            self._plan.config(DdpStep(self._plan.replicas)), Variant.ENGINE, self._plan.seconds
        )

    def _measured(self, turn: Subject, repeat: int) -> Timing:
        seconds = self._plan.seconds
        if isinstance(turn, Transfer):
            steady = self._exchanger.exchange(turn.way, turn.num_bytes, turn.replicas, seconds)
        else:
            steady = self._exchanger.measure(self._plan.config(turn), turn.variant, seconds)
        return Timing(turn, repeat, steady.step_seconds, self._others())
