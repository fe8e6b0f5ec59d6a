import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import ConfigError, TooManyRunsError
from dpdash.core.events import RunStatus
from dpdash.runs.service import Pace, RunService
from tests.fakes import FakeEngine, eventually
from tests.unit.runs.conftest import MakeService

SLOW = Pace.rate(5)
CONFIG = RunConfig(epochs=50)
LONG = 20.0

Start = Callable[[RunService, RunConfig], str]
STARTS: dict[str, Start] = {
    "start": lambda service, config: service.start(config, "ann", SLOW),
    "restart": lambda service, config: service.restart("gone", config, "ann", SLOW),
}


def live(service: RunService, owner: str) -> list[str]:
    return [run.run_id for run in service.room.snapshot().runs if run.owner == owner]


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_settings_beyond_the_servers_limits_are_refused(make_service: MakeService, start: Start) -> None:
    service = make_service(max_samples=1_000, max_epochs=50)
    assert (service.limits.samples, service.limits.epochs) == (1_000, 50)
    with pytest.raises(ConfigError, match="on this server") as raised:
        start(service, RunConfig(samples=1_001, epochs=51))
    assert [problem.setting for problem in raised.value.problems] == ["samples", "epochs"]
    assert service.runs.latest() == ()
    start(service, RunConfig(samples=1_000, epochs=50))


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize(
    "change", [{"epochs": 10**9}, {"learning_rate": float("nan")}, {"samples": "many"}, {"replicas": 2}]
)
def test_settings_that_nobody_checked_are_refused(
    service: RunService, start: Start, change: dict[str, object]
) -> None:
    with pytest.raises(ConfigError) as raised:
        start(service, CONFIG.model_copy(update=change))
    assert [problem.setting for problem in raised.value.problems] == list(change)
    assert service.runs.latest() == ()


def test_an_old_run_goes_on_when_its_successor_is_refused(make_service: MakeService) -> None:
    service = make_service(max_epochs=50)
    run_id = service.start(CONFIG, "ann", SLOW)
    with pytest.raises(ConfigError):
        service.restart(run_id, RunConfig(epochs=51), "ann", SLOW)
    assert live(service, "ann") == [run_id]


def test_a_browser_has_only_so_many_runs_until_one_is_over(make_service: MakeService) -> None:
    service = make_service(max_runs_per_browser=3)
    runs = [service.start(CONFIG, "ann", Pace.full_speed()), service.start(CONFIG, "ann", SLOW)]
    runs.append(service.start(CONFIG, "ann", SLOW, paused=True))
    with pytest.raises(TooManyRunsError) as raised:
        service.start(CONFIG, "ann", SLOW)
    assert str(raised.value) == (
        "Runs of one browser at the same time must be at most 3 on this server. Received: 4. "
        "Stop one of them, or wait until one is over."
    )
    service.start(CONFIG, "bob", SLOW)
    service.stop(runs[2], "ann")
    assert service.runs.wait(runs[2], LONG)
    runs[2] = service.start(CONFIG, "ann", SLOW)
    assert live(service, "ann") == runs


def test_runs_of_ddp_have_only_so_many_processes_together(make_service: MakeService) -> None:
    service = make_service(ddp_processes=5)
    ddp = CONFIG.model_copy(update={"engine": EngineName.DDP, "replicas": 2})
    first = service.start(ddp, "ann", SLOW, paused=True)
    service.start(ddp, "bob", SLOW, paused=True)
    with pytest.raises(TooManyRunsError) as raised:
        service.start(ddp, "cyd", SLOW)
    assert str(raised.value) == (
        "Processes of DDP at the same time must be at most 5 on this server, of all browsers together. "
        "Received: 6. Try DataParallel, or again when a run of DDP is over."
    )
    service.start(CONFIG, "cyd", SLOW)
    service.restart(first, ddp, "ann", SLOW, paused=True)


def test_a_run_in_place_of_another_counts_once(make_service: MakeService) -> None:
    service = make_service(max_runs_per_browser=1)
    run_id = service.start(CONFIG, "ann", SLOW)
    for _ in range(3):
        old, run_id = run_id, service.restart(run_id, CONFIG, "ann", SLOW)
        assert service.runs.wait(old, LONG)
    assert live(service, "ann") == [run_id]
    others = service.start(CONFIG, "bob", SLOW)
    with pytest.raises(TooManyRunsError):
        service.restart(others, CONFIG, "ann", SLOW)
    assert live(service, "bob") == [others]


def test_a_run_that_has_not_stopped_yet_still_counts(make_service: MakeService, engine: FakeEngine) -> None:
    engine.step_gate.clear()
    service = make_service(max_runs_per_browser=2)
    busy = service.start(CONFIG, "ann", SLOW, paused=True)
    service.set_learning_rate(busy, "ann", 0.5)
    service.step(busy, "ann")
    eventually(lambda: service.runs.snapshot(busy).history.learning_rate_changes)
    new = service.restart(busy, CONFIG, "ann", SLOW)
    # Else each click would leave another thread behind in an epoch that takes long.
    with pytest.raises(TooManyRunsError):
        service.restart(busy, CONFIG, "ann", SLOW)
    assert live(service, "ann") == [busy, new]
    engine.step_gate.set()
    assert service.runs.wait(busy, LONG)
    service.start(CONFIG, "ann", SLOW)


def test_clicks_at_the_same_moment_start_no_more_runs_than_allowed(make_service: MakeService) -> None:
    service = make_service(max_runs_per_browser=5, paced=64)
    together = threading.Barrier(40)

    def click() -> bool:
        together.wait(LONG)
        try:
            service.start(CONFIG, "ann", SLOW)
        except TooManyRunsError:
            return False
        return True

    with ThreadPoolExecutor(40) as pool:
        clicks = [pool.submit(click) for _ in range(40)]
    assert sum(each.result() for each in clicks) == 5
    assert len(live(service, "ann")) == 5


def test_browsers_that_cost_nothing_cannot_fill_the_server(make_service: MakeService, engine: FakeEngine) -> None:
    service = make_service(slots=1, paced=2)
    runs = [service.start(CONFIG, f"browser {number}", SLOW, paused=number % 2 == 0) for number in range(12)]
    with pytest.raises(TooManyRunsError) as raised:
        service.start(CONFIG, "one more", SLOW)
    assert str(raised.value) == (
        "Runs of all browsers at the same time must be at most 12 on this server. Received: 13. "
        "Try again when one of them is over."
    )
    successor = service.restart(runs[1], CONFIG, "browser 1", SLOW)
    assert service.runs.wait(runs[1], LONG)
    service.stop(runs[0], "browser 0")
    assert service.runs.wait(runs[0], LONG)
    service.start(CONFIG, "one more", SLOW)
    assert service.runs.snapshot(successor).status in (RunStatus.RUNNING, RunStatus.WAITING)
