"""What an exchange costs is measured round after round, in the place of a study, and kept."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path

import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import ConfigError, DpdashError, EngineUnavailableError, TooManyRunsError
from dpdash.core.limits import Limits
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.exchange_study import DdpStep, ExchangeStudy, Timing, Transfer
from dpdash.core.scaling.study import StudyStatus
from dpdash.core.scaling.variants import Variant
from dpdash.scaling import worker
from dpdash.scaling.live import LiveStudy
from dpdash.scaling.measure import ExchangeRounds
from dpdash.scaling.messages import Ended, Fitted, Measured, Order
from dpdash.scaling.service import ScalingService
from dpdash.store.store import RunStore
from dpdash.training.variants.steady import Steady
from tests.fakes import FakeClock, FakeMeasuring, eventually
from tests.unit.findings.scaling.made_up_exchanges import plan_of
from tests.unit.sweeps.conftest import plan_of as scaling_plan_of

LONG = 60.0
LIMITS = Limits(runs_per_browser=2, samples=10_000_000, epochs=50)


@dataclass
class Timed:
    """Measures nothing, in a time of its own."""

    seconds: float = 0.1
    clock: FakeClock = field(default_factory=FakeClock)
    done: list[tuple[object, ...]] = field(default_factory=list)

    def measure(self, config: RunConfig, variant: Variant, seconds: float) -> Steady:
        self.clock.now += self.seconds
        self.done.append((config.replicas, variant, config.bucket_cap_mb, config.accumulation_steps))
        return Steady(0.02, 10)

    def exchange(self, way: ExchangeWay, num_bytes: int, num_ranks: int, seconds: float) -> Steady:
        self.clock.now += self.seconds
        self.done.append((num_ranks, way, num_bytes))
        return Steady(1e-4 + 1e-9 * num_bytes, 10)


def new(**changes: object) -> ExchangeStudy:
    return ExchangeStudy("exchange", "ann", 5.0, plan_of(**changes), 2, 0)


def told(timed: Timed, study: ExchangeStudy, seconds: float | None = None) -> list[Fitted | Measured]:
    order = Order(study, None if seconds is None else timed.clock.now + seconds)
    return list(ExchangeRounds(order, timed, lambda: 0.25, timed.clock).measure())


def timings(said: list[Fitted | Measured]) -> list[Timing]:
    found = [each.measurement for each in said if isinstance(each, Measured)]
    return [one for one in found if isinstance(one, Timing)]


def test_every_turn_is_taken_in_each_round_as_the_plan_has_it() -> None:
    timed, study = Timed(), new(repeats=2)
    found = timings(told(timed, study))
    assert [one.subject for one in found] == [*study.turns, *study.turns]
    assert [one.repeat for one in found] == [0] * len(study.turns) + [1] * len(study.turns)
    assert {one.other_programs for one in found} == {0.25}
    asked = timed.done[1:]  # after the warm-up
    for turn, what in zip(study.turns, asked, strict=False):
        if isinstance(turn, Transfer):
            assert what == (turn.replicas, turn.way, turn.num_bytes)
        else:
            assert what == (turn.replicas, turn.variant, turn.bucket_cap_mb, turn.micro_batches)
    by_subject = {one.subject: one.seconds for one in found}
    assert by_subject[DdpStep(2)] == 0.02
    assert by_subject[Transfer(ExchangeWay.RING, 2, 2**20)] == pytest.approx(1e-4 + 1e-9 * 2**20)


def test_rounds_that_do_not_fit_are_left_out() -> None:
    study = new(repeats=9)
    said = told(Timed(), study, seconds=3.5 * len(study.turns) * 0.1)
    (fitted,) = {each for each in said if isinstance(each, Fitted)}
    assert fitted == Fitted((), 3)
    assert len(timings(said)) == 3 * len(study.turns)


def test_numbers_of_ranks_that_do_not_fit_are_left_out_first() -> None:
    study = new(replicas=4, repeats=3)
    said = told(Timed(), study, seconds=3.2 * len(new(replicas=3).turns) * 0.1)
    left_out = next(each.left_out for each in said if isinstance(each, Fitted))
    assert left_out == (3,)
    assert {one.subject.replicas for one in timings(said)} == {2, 4}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(f"sqlite:///{tmp_path}/runs.db")
    yield store
    store.close()


@pytest.fixture
def fake() -> FakeMeasuring:
    return FakeMeasuring(lambda config: 100.0)


@pytest.fixture
def service(store: RunStore, fake: FakeMeasuring) -> Iterator[ScalingService]:
    service = ScalingService(LIMITS, store, lambda: False, lambda: fake)
    yield service
    fake.gate.set()
    service.close(LONG)


def test_it_is_measured_shown_and_kept(service: ScalingService, store: RunStore) -> None:
    study_id = service.start_exchange(plan_of(repeats=1), "ann")
    assert service.wait(LONG)
    shown = service.exchange(study_id)
    assert shown is not None and shown.study.status is StudyStatus.FINISHED
    assert store.exchanges.get(study_id) == shown.study
    assert [head.value_id for head in service.exchanges()] == [study_id]
    assert service.studies() == () and service.snapshot(study_id) is None
    assert service.exchange("no such study") is None


def test_one_study_of_whichever_kind_is_measured_at_a_time(service: ScalingService, fake: FakeMeasuring) -> None:
    fake.gate.clear()
    service.start_exchange(plan_of(), "ann")
    with pytest.raises(TooManyRunsError):
        service.start(scaling_plan_of(), "bob")
    service.cancel("ann")
    assert service.wait(LONG)
    fake.gate.clear()
    service.start(scaling_plan_of(), "bob")
    eventually(lambda: fake.turns)
    with pytest.raises(TooManyRunsError):
        service.start_exchange(plan_of(), "ann")


@pytest.mark.parametrize(
    ("beyond", "error"),
    [
        ({"replicas": 64}, EngineUnavailableError),
        ({"samples": 10_000_000, "hidden_width": 4096, "hidden_depth": 8}, ConfigError),
    ],
)
def test_what_is_beyond_the_machine_or_the_server_is_refused(
    service: ScalingService, beyond: dict[str, int], error: type[DpdashError]
) -> None:
    with pytest.raises(error):
        service.start_exchange(plan_of(**beyond), "ann")
    assert service.measuring() is None


def test_the_process_of_a_study_measures_exchanges_in_one_group_of_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []

    @contextmanager
    def group(num_ranks: int) -> Iterator[Timed]:
        groups.append(num_ranks)
        yield Timed()

    monkeypatch.setattr(worker, "RankGroup", group)
    study = new(replicas=3, repeats=1)
    there, here = Pipe(duplex=False)
    # Nobody reads while it is told, and a pipe holds little.
    told: list[Measured] = []
    reader = threading.Thread(target=lambda: told.extend(there.recv() for _turn in study.turns))
    reader.start()
    assert worker.measured(Order(study, None), here) == Ended()
    reader.join(LONG)
    assert groups == [3]
    assert {one.subject for one in timings([*told])} == set(study.turns)


@pytest.mark.long
def test_real_ranks_measure_an_exchange_until_it_is_cancelled_and_what_they_measured_stays() -> None:
    live = LiveStudy(new(samples=100, hidden_width=4, hidden_depth=1))
    live.start()
    eventually(lambda: live.snapshot().num_measured >= 3, LONG)
    live.cancel()
    assert live.wait(LONG)
    study = live.snapshot().study
    assert study.status is StudyStatus.CANCELLED
    assert all(0 < one.seconds < 10 and one.other_programs is not None for one in study.measurements)
    assert [one.subject for one in study.measurements] == list(study.turns[: len(study.measurements)])
