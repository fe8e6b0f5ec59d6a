"""What every store must do."""

import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.config import RunConfig
from dpdash.core.events import (
    COLUMNS,
    EpochBlock,
    LearningRateChanged,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunStarted,
    RunStatus,
    RunStopped,
    StepTraced,
    StopReason,
)
from dpdash.core.history import History, HistorySnapshot
from dpdash.core.own_data import Table
from dpdash.core.scaling.plan import ScalingMode
from dpdash.core.scaling.study import StudyStatus
from dpdash.core.scaling.variants import Variant
from dpdash.core.sweep import SearchMethod, SweepStatus, Trial, TrialStatus
from dpdash.core.sweep_axis import Axis, Value
from dpdash.store.data_tables import DataTables, NoRoomError
from dpdash.store.query import RunLabel, RunOrder, RunQuery, Viewer
from dpdash.store.rows import MAX_BLOCK_ROWS
from dpdash.store.run_table import RUN_BYTES
from dpdash.store.store import RunStore
from dpdash.store.transfer import ArrivedRun
from dpdash.training.trace.step import trace_config
from tests.contract.conftest import NewUrl
from tests.fakes import block_of
from tests.strategies import run_configs, run_logs
from tests.unit.findings.scaling.made_up_exchanges import study_of as exchange_study_of
from tests.unit.sweeps.conftest import study_of, sweep_of, sweep_plan_of

STARTED = RunStarted(5.0, ("cpu", "cpu"), (3, 0), emulated=True, one_device_step_seconds=0.25)
LONG = 20.0


@pytest.fixture(scope="module")
def store(new_url: NewUrl) -> Iterator[RunStore]:
    store = RunStore(new_url())
    yield store
    assert store.close()


@pytest.fixture
def run_id(store: RunStore, request: pytest.FixtureRequest) -> str:
    name: str = request.node.name
    store.create_run(name, RunConfig(), "ann", created_at=time.time())
    return name


def fold(log: tuple[RunEvent, ...]) -> HistorySnapshot:
    history = History()
    for event in log:
        history.fold(event)
    return history.snapshot()


def assert_same_history(stored: HistorySnapshot, live: HistorySnapshot) -> None:
    for name in ("status", "num_epochs", "width", "started", "ended", "learning_rate_changes", "traced"):
        assert getattr(stored, name) == getattr(live, name)
    for name in ("first", "last", "low", "high", "low_epoch", "high_epoch"):
        assert np.array_equal(getattr(stored, name), getattr(live, name)), name


def test_a_run_is_there_with_its_settings(store: RunStore) -> None:
    config = RunConfig(samples=7, noise=0.1, global_batch_size=3)
    store.create_run("settings", config, "ann", created_at=12.5)
    assert store.flush(LONG)
    record = store.run("settings")
    assert record is not None
    assert (record.config, record.owner, record.created_at) == (config, "ann", 12.5)
    assert (record.status, record.num_epochs, record.loss) == (RunStatus.WAITING, 0, None)


def test_the_best_loss_is_that_of_any_block(store: RunStore, run_id: str) -> None:
    parts = [replace(part, loss=part.loss + 1) for part in (block_of(1, 4), block_of(5, 4), block_of(9, 4))]
    parts[1].loss[2] = 0.25  # neither of the first block nor of the last
    for part in parts:
        store.append(run_id, part)
        assert store.flush(LONG)
    record = store.run(run_id)
    assert record is not None
    assert record.best_loss == 0.25


@given(config=run_configs())
def test_any_config_round_trips(store: RunStore, config: RunConfig) -> None:
    run_id = f"config-{time.monotonic_ns()}"
    store.create_run(run_id, config, "ann", created_at=0.0)
    assert store.flush(LONG)
    record = store.run(run_id)
    assert record is not None
    assert record.config == config


@given(log=run_logs(), data=st.data())
def test_a_history_from_disk_equals_the_live_one(
    store: RunStore, log: tuple[RunEvent, ...], data: st.DataObject
) -> None:
    run_id = f"log-{time.monotonic_ns()}"
    store.create_run(run_id, RunConfig(), "ann", created_at=0.0)
    for event in log:
        store.append(run_id, event)
        if data.draw(st.booleans(), label="commit here"):
            assert store.flush(LONG)
    assert store.flush(LONG)
    stored, record, whole = store.history(run_id), store.run(run_id), store.rows(run_id)
    assert stored is not None and record is not None and whole is not None
    live = fold(log)
    assert_same_history(stored.snapshot(), live)
    assert record.status == live.status
    parts = [event for event in log if isinstance(event, EpochBlock)]
    for name in COLUMNS:
        given_values = np.concatenate([getattr(part, name) for part in parts])
        assert getattr(whole, name).tobytes() == given_values.tobytes(), "not the same bits"
        assert getattr(whole, name).dtype == given_values.dtype


def test_blocks_of_one_commit_become_one_that_is_not_too_long(store: RunStore, run_id: str) -> None:
    num_epochs = 2 * MAX_BLOCK_ROWS + 500
    whole = block_of(1, num_epochs)
    for begin in range(0, num_epochs, 500):
        part = slice(begin, begin + 500)
        store.append(run_id, EpochBlock(begin + 1, **{name: getattr(whole, name)[part] for name in COLUMNS}))
    assert store.flush(LONG)
    assert store.rows(run_id) == whole
    for epoch in (1, 500, 501, MAX_BLOCK_ROWS, MAX_BLOCK_ROWS + 1, num_epochs):
        row = store.row(run_id, epoch)
        assert row is not None
        assert (row.epoch, row.loss, row.seconds) == (epoch, whole.loss[epoch - 1], whole.seconds[epoch - 1])


def test_there_is_no_row_outside_the_run(store: RunStore, run_id: str) -> None:
    assert store.row(run_id, 1) is None
    store.append(run_id, block_of(1, 5))
    assert store.flush(LONG)
    assert [store.row(run_id, epoch) for epoch in (-1, 0, 6, 10**12)] == [None] * 4


def test_an_unknown_run_is_none_everywhere(store: RunStore) -> None:
    unknown = "../../etc/passwd"
    assert store.run(unknown) is None
    assert store.history(unknown) is None
    assert store.rows(unknown) is None
    assert store.row(unknown, 1) is None


def test_the_newest_runs_come_first_even_when_the_clock_jumped_back(store: RunStore) -> None:
    for name, created_at in (("first", 300.0), ("second", 200.0), ("third", 100.0)):
        store.create_run(name, RunConfig(), "ann", created_at)
    assert store.flush(LONG)
    assert [record.run_id for record in store.runs(limit=2)] == ["third", "second"]


def test_the_list_shows_the_result_line(store: RunStore, run_id: str) -> None:
    last = block_of(1, 10)
    store.append(run_id, STARTED)
    store.append(run_id, last)
    assert store.flush(LONG)
    record = store.run(run_id)
    assert record is not None
    assert (record.status, record.slope, record.ended_at) == (RunStatus.RUNNING, float(last.slope[-1]), None)
    store.append(run_id, RunFinished(10, 2.75, 0.125, 3.5))
    assert store.flush(LONG)
    record = store.run(run_id)
    assert record is not None
    assert (record.status, record.num_epochs, record.loss) == (RunStatus.FINISHED, 10, float(last.loss[-1]))
    assert (record.slope, record.intercept, record.seconds) == (2.75, 0.125, 3.5)
    assert record.ended_at is not None


def test_a_run_that_never_began_has_no_line(store: RunStore, run_id: str) -> None:
    store.append(run_id, RunStopped(0, float("nan"), float("nan"), 0.0))
    assert store.flush(LONG)
    record, history = store.run(run_id), store.history(run_id)
    assert record is not None and history is not None
    assert (record.status, record.slope) == (RunStatus.STOPPED, None)
    assert history.snapshot().line is None


def test_a_failed_run_keeps_its_message(store: RunStore, run_id: str) -> None:
    for event in (STARTED, block_of(1, 3), RunFailed(3, "It broke.", "traceback", 1.0)):
        store.append(run_id, event)
    assert store.flush(LONG)
    record = store.run(run_id)
    assert record is not None
    assert (record.status, record.message, record.num_epochs) == (RunStatus.FAILED, "It broke.", 3)


def test_events_between_blocks_are_kept_in_order(store: RunStore, run_id: str) -> None:
    changes = (LearningRateChanged(3, 0.5), LearningRateChanged(3, 0.25))
    for event in (STARTED, block_of(1, 2), *changes, RunPaused(2)):
        store.append(run_id, event)
    assert store.flush(LONG)
    history = store.history(run_id)
    assert history is not None
    assert history.snapshot().learning_rate_changes == changes
    record = store.run(run_id)
    latest = next(one for one in store.runs() if one.run_id == run_id)
    everybody = Viewer("anybody", sees_all=True)
    (chosen,) = store.run_table.records([run_id], everybody)
    listed = next(one for one in store.run_table.page(RunQuery(everybody)).rows if one.run_id == run_id)
    assert record == latest == chosen == listed
    assert listed.learning_rate_changes == changes
    assert history.snapshot().status is RunStatus.PAUSED


def test_a_traced_step_comes_back_as_it_was(store: RunStore, run_id: str) -> None:
    config = RunConfig(samples=90, engine="cpu_replicas", replicas=4, hidden_depth=1, hidden_width=8)
    first, second = (StepTraced(epoch, trace_config(config)) for epoch in (1, 6))
    for event in (STARTED, first, block_of(1, 5), second):
        store.append(run_id, event)
    assert store.flush(LONG)
    history = store.history(run_id)
    assert history is not None
    assert history.snapshot().traced == second != first


def test_everything_is_there_after_closing_and_opening_again(url: str) -> None:
    first = RunStore(url)
    first.create_run("run", RunConfig(), "ann", 1.0)
    log = (STARTED, block_of(1, 100), RunFinished(100, 3.0, 0.0, 1.0))
    for event in log:
        first.append("run", event)
    assert first.close()
    first.append("run", block_of(101, 1))
    second = RunStore(url)
    history = second.history("run")
    assert history is not None
    assert_same_history(history.snapshot(), fold(log))
    assert second.health.ok
    assert second.close()


def test_a_run_whose_thread_hangs_is_interrupted_when_the_store_is_closed(url: str) -> None:
    first = RunStore(url)
    first.create_run("run", RunConfig(), "ann", 1.0)
    first.append("run", block_of(1, 5))
    assert first.close()
    second = RunStore(url)
    history = second.history("run")
    assert history is not None
    assert (history.snapshot().status, history.snapshot().num_epochs) == (RunStatus.INTERRUPTED, 5)
    assert second.close()


def test_a_run_that_its_server_took_along_is_interrupted_and_has_its_line(store: RunStore, run_id: str) -> None:
    for event in (STARTED, block_of(1, 10), RunStopped(10, 2.75, 0.125, 3.5, StopReason.SHUTDOWN)):
        store.append(run_id, event)
    assert store.flush(LONG)
    record, history = store.run(run_id), store.history(run_id)
    assert record is not None and history is not None
    assert (record.status, record.num_epochs, record.slope) == (RunStatus.INTERRUPTED, 10, 2.75)
    snapshot = history.snapshot()
    assert (snapshot.status, snapshot.line) == (RunStatus.INTERRUPTED, (2.75, 0.125))


def test_no_run_ends_before_it_began(store: RunStore) -> None:
    tomorrow = time.time() + 86_400
    store.create_run("tomorrow", RunConfig(), "ann", created_at=tomorrow)
    store.append("tomorrow", RunFinished(0, 3.0, 0.0, 1.0))
    assert store.flush(LONG)
    record = store.run("tomorrow")
    assert record is not None
    assert record.ended_at == tomorrow


def test_the_runs_that_are_saved_are_known(store: RunStore, run_id: str) -> None:
    assert store.flush(LONG)
    assert store.known([run_id, "another"]) == {run_id}


def test_a_study_comes_back_as_it_was_given(store: RunStore) -> None:
    first, second = (replace(study_of(lambda point: 1.5), study_id=name) for name in ("study-a", "study-b"))
    weak = study_of(lambda point: 0.5, hidden_widths=(8, 16), mode=ScalingMode.WEAK)
    measured = replace(
        weak.measurements[-1], variant=Variant.FIRST_ALL_REDUCE, other_programs=0.25, waiting_seconds=0.002
    )
    third = replace(weak, study_id="study-c", measurements=(*weak.measurements, measured), left_out=(2,), rounds=1)
    for study in (replace(first, measurements=()), second, third):
        store.studies.put(study)
    assert store.studies.get("study-c") == third
    assert store.studies.get("no such study") is None
    store.studies.put(first)
    assert store.studies.get("study-a") == first
    newest = store.studies.heads(10)
    assert [head.value_id for head in newest] == ["study-c", "study-b", "study-a"], "its place stays"
    assert store.studies.heads(1) == newest[:1]


def test_what_an_exchange_costs_comes_back_as_it_was_given(store: RunStore) -> None:
    whole = exchange_study_of(noise=0.1, repeats=2)
    begun = replace(
        whole, study_id="exchange-b", status=StudyStatus.MEASURING, measurements=whole.measurements[:7]
    )
    for study in (whole, begun):
        store.exchanges.put(study)
    assert store.exchanges.get("exchange") == whole
    assert store.exchanges.get("exchange-b") == begun
    assert store.exchanges.is_held("exchange-b") and not store.exchanges.is_held("exchange")
    over = replace(begun, status=StudyStatus.CANCELLED, left_out=(3,), rounds=1, message="Enough.")
    store.exchanges.put(over)
    assert store.exchanges.get("exchange-b") == over and not store.exchanges.is_held("exchange-b")
    newest = store.exchanges.heads(10)
    assert [(head.value_id, head.plan) for head in newest] == [
        ("exchange-b", begun.plan),
        ("exchange", whole.plan),
    ]
    assert store.studies.get("exchange") is None, "studies of how training scales are others"


def test_a_sweep_comes_back_as_it_was_given(store: RunStore) -> None:
    values: dict[tuple[Value, ...], float | TrialStatus] = {
        (0.01, "adam"): 1.5,
        (0.01, "sgd"): TrialStatus.DIVERGED,
        (0.1, "adam"): 0.0,
        (0.1, "sgd"): 1e-300,
    }
    grid = replace(sweep_of(values.__getitem__), sweep_id="sweep-a")
    free = replace(
        grid,
        sweep_id="sweep-b",
        plan=sweep_plan_of(
            method=SearchMethod.TPE, axes=(Axis("samples", low=10, high=500), Axis("noise", (0.5, 1.0))), trials=9
        ),
        trials=(Trial(0, (10, 0.5), "run"),),
        status=SweepStatus.SEARCHING,
        message="{what} it is",
    )
    for sweep in (replace(grid, trials=()), free):
        store.sweeps.put(sweep)
    assert store.sweeps.get("sweep-b") == free
    assert store.sweeps.get("no such sweep") is None
    store.sweeps.put(grid)
    assert store.sweeps.get("sweep-a") == grid
    assert [type(value) for value in free.trials[0].values] == [int, float]
    newest = store.sweeps.heads(10)
    assert [head.value_id for head in newest] == ["sweep-b", "sweep-a"], "its place stays"
    assert [(head.owner, head.created_at, head.plan) for head in newest] == [
        (sweep.owner, sweep.created_at, sweep.plan) for sweep in (free, grid)
    ]
    assert store.sweeps.heads(1) == newest[:1]
    assert store.sweeps.searching() == (free,)
    store.sweeps.put(replace(free, status=SweepStatus.FINISHED))
    assert store.sweeps.searching() == ()


def test_a_run_knows_the_sweep_that_it_is_a_trial_of(store: RunStore) -> None:
    store.create_run("trial", RunConfig(), "ann", created_at=5.0, sweep_id="sweep-a")
    store.create_run("no trial", RunConfig(), "ann", created_at=5.0)
    assert store.flush(LONG)
    found = store.run("trial"), store.run("no trial")
    assert [record.sweep_id for record in found if record is not None] == ["sweep-a", None]


@given(log=run_logs())
def test_a_run_from_elsewhere_is_stored_as_it_came(store: RunStore, log: tuple[RunEvent, ...]) -> None:
    live, run_id = fold(log), f"arrived-{time.monotonic_ns()}"
    parts = tuple(event for event in log if isinstance(event, EpochBlock))
    arrived = ArrivedRun(
        config=RunConfig(),
        created_at=5.0,
        ended_at=6.0,
        started=live.started,
        learning_rate_changes=live.learning_rate_changes,
        blocks=parts,
        ended=live.ended,
        name="a name",
        note="a note",
        tags=("a", "b"),
        is_complete=True,
    )
    store.transfer.put({run_id: arrived}, "bob")
    stored, record = store.history(run_id), store.run(run_id)
    assert stored is not None and record is not None
    status = RunStatus.INTERRUPTED if live.ended is None else live.status
    assert_same_history(stored.snapshot(), replace(live, status=status))
    assert (record.owner, record.status, record.is_imported, record.ended_at) == ("bob", status, True, 6.0)
    assert (record.name, record.note, record.tags) == ("a name", "a note", ("a", "b"))
    read = list(store.transfer.blocks(run_id))
    for name in COLUMNS:
        given_values = np.concatenate([getattr(part, name) for part in parts])
        assert np.concatenate([getattr(part, name) for part in read]).tobytes() == given_values.tobytes()


def test_blocks_end_at_the_first_gap(store: RunStore, run_id: str) -> None:
    for part in (block_of(1, 5), block_of(11, 5)):
        store.append(run_id, part)
        assert store.flush(LONG)
    assert [len(part) for part in store.transfer.blocks(run_id)] == [5]
    assert list(store.transfer.blocks("nobody")) == []


def keep(store: RunStore, owner: str, **configs: RunConfig) -> None:
    """Finished runs with these names and settings; the later ones trained longer and to a lower loss."""
    for place, (name, config) in enumerate(configs.items(), start=1):
        store.create_run(name, config, owner, created_at=float(place))
        part = replace(block_of(1, 10 * place), loss=np.linspace(9, 1 / place, 10 * place, dtype=np.float32))
        store.append(name, part)
        store.append(name, RunFinished(10 * place, 3 + (-1) ** place / place, 0.0, seconds=1.0))
    assert store.flush(LONG)


def found(store: RunStore, viewer: Viewer, **asked: object) -> list[str]:
    return [row.run_id for row in store.run_table.page(RunQuery(viewer, **asked)).rows]  # type: ignore[arg-type]  # a test's own words


def test_a_browser_lists_its_own_runs_in_stretches(store: RunStore) -> None:
    me = Viewer("list-ann")
    keep(store, me.owner, **{f"list-{index}": RunConfig(seed=index) for index in range(5)})
    keep(store, "list-bob", **{"list-bobs": RunConfig()})
    assert found(store, me) == [f"list-{index}" for index in (4, 3, 2, 1, 0)]
    second = store.run_table.page(RunQuery(me, offset=2, limit=2))
    assert ([row.run_id for row in second.rows], second.num_found) == (["list-2", "list-1"], 5)
    assert store.run_table.page(RunQuery(me, offset=100)).rows == ()
    assert second.rows[0] == store.run("list-2")
    everything = found(store, Viewer("list-carol", sees_all=True), limit=200)
    assert {"list-bobs", "list-0"} <= set(everything)
    assert [row.run_id for row in store.run_table.records(["list-3", "list-bobs", "list-0"], me)] == [
        "list-3",
        "list-0",
    ]


def test_the_trials_of_a_sweep_are_one_row(store: RunStore) -> None:
    me = Viewer("fold-ann")
    for place, (name, sweep_id) in enumerate(
        (("fold-a", None), ("fold-b", "fold-1"), ("fold-c", "fold-2"), ("fold-d", "fold-1"), ("fold-e", None))
    ):
        config = RunConfig(noise=place + 1)
        store.create_run(name, config, me.owner, created_at=float(place), sweep_id=sweep_id)
        part = replace(block_of(1, 5), loss=np.linspace(9, 5 - place, 5, dtype=np.float32))
        store.append(name, part)
        if name != "fold-d":
            store.append(name, RunFinished(5, 3.0, 0.0, seconds=1.0))
    assert store.flush(LONG)
    page = store.run_table.page(RunQuery(me))
    assert ([row.run_id for row in page.rows], page.num_found) == (["fold-e", "fold-d", "fold-c", "fold-a"], 4)
    fold = page.folds["fold-d"]
    assert (fold.sweep_id, fold.run_ids, fold.best_loss) == ("fold-1", ("fold-d", "fold-b"), 2.0)
    assert fold.statuses == {RunStatus.FINISHED: 1, RunStatus.WAITING: 1}
    assert page.folds["fold-c"].run_ids == ("fold-c",)
    # It stands where the first of its trials does, whichever order is asked for.
    assert found(store, me, order=RunOrder.LOSS) == ["fold-a", "fold-b", "fold-c", "fold-e"]
    assert store.run_table.page(RunQuery(me, order=RunOrder.LOSS)).folds["fold-b"].run_ids == ("fold-b", "fold-d")
    assert found(store, me, offset=1, limit=2) == ["fold-d", "fold-c"]
    assert found(store, me, unfolded=("fold-1",)) == ["fold-e", "fold-d", "fold-c", "fold-b", "fold-a"]
    assert "fold-d" not in store.run_table.page(RunQuery(me, unfolded=("fold-1",))).folds
    some = store.run_table.page(RunQuery(me, text="noise<4"))
    assert [row.run_id for row in some.rows] == ["fold-c", "fold-b", "fold-a"], "those that are asked for"
    assert some.folds["fold-b"].run_ids == ("fold-b",)


def test_runs_are_found_by_words_settings_status_and_tags(store: RunStore) -> None:
    me = Viewer("find-ann")
    keep(
        store,
        me.owner,
        **{
            "find-a": RunConfig(noise=0.5, learning_rate=0.01),
            "find-b": RunConfig(noise=2, optimizer="sgd", global_batch_size=100),
            "find-c": RunConfig(engine="cpu_replicas", replicas=4),
        },
    )
    store.create_run("find-d", RunConfig(noise=7), me.owner, created_at=9.0)
    assert store.flush(LONG)
    assert store.run_table.label("find-a", me, RunLabel("My best 100% run", "a note, ação", ("ótima", "b_c")))
    assert found(store, me, text="BEST") == ["find-a"]
    assert found(store, me, text="100%") == ["find-a"]
    assert found(store, me, text="note best") == ["find-a"]
    assert found(store, me, text="note nothing") == []
    assert found(store, me, text="ação") == ["find-a"]
    assert found(store, me, text="ótima") == ["find-a"]
    assert found(store, me, text="%") == ["find-a"] and found(store, me, text="b_c") == ["find-a"]
    assert found(store, me, text="bxc") == [], "an underscore is an underscore"
    assert found(store, me, text="sgd") == ["find-b"]
    assert found(store, me, text="noise>=2") == ["find-d", "find-b"]
    assert found(store, me, text="noise>2") == ["find-d"]
    assert found(store, me, text="noise<=2") == ["find-c", "find-b", "find-a"]
    assert found(store, me, text="noise<2") == ["find-c", "find-a"]
    assert found(store, me, text="noise=0.5 learning-rate<0.1") == ["find-c", "find-a"]
    assert found(store, me, text="optimizer=sgd") == ["find-b"]
    assert found(store, me, text="global_batch_size=100") == ["find-b"]
    assert found(store, me, text="global_batch_size=all") == ["find-d", "find-c", "find-a"]
    assert found(store, me, text="noise=many") == found(store, me, text="engine>a") == []
    assert found(store, me, text="'; DROP TABLE runs; --") == []
    assert found(store, me, statuses=(RunStatus.WAITING,)) == ["find-d"]
    assert found(store, me, tags=("ótima", "b_c")) == ["find-a"]
    assert found(store, me, tags=("ótim",)) == [], "a tag is a whole one"
    assert store.run_table.tags(me) == ("b_c", "ótima")


@pytest.mark.parametrize("order", RunOrder)
def test_whatever_the_numbers_are_the_list_is_sorted(store: RunStore, order: RunOrder) -> None:
    me = Viewer(f"extreme-{order}")
    extremes = {
        "huge": (1e-3, 1e308, 1e-320, -1e308),
        "tiny": (1e-200, 1e-300, 1e300, 3.0),
        "odd": (0.0, float("nan"), 0.0, 1e-320),
    }
    for name, (noise, value, seconds, slope) in extremes.items():
        run_id = f"{order}-{name}"
        store.create_run(run_id, RunConfig(noise=noise), me.owner, created_at=1.0)
        numbers, no_time = np.array([value]), np.zeros(1)
        store.append(
            run_id,
            EpochBlock(1, loss=numbers, slope=numbers, intercept=numbers, learning_rate=numbers, seconds=no_time),
        )
        store.append(run_id, RunFinished(1, slope, 1.0, seconds=seconds))
    assert store.flush(LONG)
    down, up = (
        [name.removeprefix(f"{order}-") for name in found(store, me, order=order, is_descending=is_descending)]
        for is_descending in (True, False)
    )
    newest_first = ["odd", "tiny", "huge"]
    without_value_last = (["huge", "tiny", "odd"], ["tiny", "huge", "odd"])
    expected = {
        RunOrder.WHEN: (newest_first, newest_first[::-1]),
        RunOrder.LOSS: without_value_last,
        RunOrder.BEST_LOSS: without_value_last,
        RunOrder.ABOVE_FLOOR: (["huge", "odd", "tiny"], ["huge", "odd", "tiny"]),
        RunOrder.SLOPE_ERROR: (["huge", "odd", "tiny"], ["tiny", "odd", "huge"]),
        RunOrder.SPEED: (["tiny", "odd", "huge"], ["tiny", "odd", "huge"]),
    }
    assert (down, up) == expected.get(order, (newest_first, newest_first))


@pytest.mark.parametrize("order", RunOrder)
def test_runs_are_sorted_both_ways_and_what_has_no_value_stands_last(store: RunStore, order: RunOrder) -> None:
    me = Viewer(f"sort-{order}")
    names = [f"{me.owner}-{letter}" for letter in "abc"]
    keep(store, me.owner, **dict(zip(names, (RunConfig(), RunConfig(noise=3), RunConfig(noise=0)), strict=True)))
    for name, called in zip(names[:2], ("Zebra", "ant"), strict=True):
        assert store.run_table.label(name, me, RunLabel(called, "", ()))
    down, up = (found(store, me, order=order, is_descending=is_descending) for is_descending in (True, False))
    a, b, c = names
    expected = {
        RunOrder.WHEN: ([c, b, a], [a, b, c]),
        RunOrder.NAME: ([a, b, c], [b, a, c]),
        RunOrder.STATUS: ([c, b, a], [c, b, a]),
        RunOrder.LOSS: ([a, b, c], [c, b, a]),
        RunOrder.BEST_LOSS: ([a, b, c], [c, b, a]),
        RunOrder.ABOVE_FLOOR: ([a, b, c], [b, a, c]),
        RunOrder.SLOPE_ERROR: ([a, b, c], [c, b, a]),
        RunOrder.SPEED: ([c, b, a], [a, b, c]),
        RunOrder.EPOCHS: ([c, b, a], [a, b, c]),
    }
    assert (down, up) == expected[order]


def test_a_label_and_a_pin_stay(store: RunStore) -> None:
    me = Viewer("label-ann")
    keep(store, me.owner, **{"label-a": RunConfig(), "label-b": RunConfig()})
    assert store.run_table.label("label-a", me, RunLabel("name", "note", ("x", "y")))
    assert store.run_table.pin(["label-a", "label-b"], me, True) == 2
    record = store.run("label-a")
    assert record is not None
    assert (record.name, record.note, record.tags, record.is_pinned) == ("name", "note", ("x", "y"), True)
    assert not store.run_table.label("label-a", Viewer("label-bob"), RunLabel("stolen", "", ()))
    assert store.run_table.pin(["label-a"], me, False) == 1
    assert store.run_table.label("label-a", me, RunLabel(None, "", ()))
    record = store.run("label-a")
    assert record is not None and (record.name, record.is_pinned) == (None, False)


def test_a_deleted_run_is_out_of_the_list_until_it_is_restored(store: RunStore) -> None:
    me = Viewer("delete-ann")
    keep(store, me.owner, **{"delete-a": RunConfig(), "delete-b": RunConfig()})
    store.create_run("delete-live", RunConfig(), me.owner, created_at=3.0)
    assert store.flush(LONG)
    wanted = ["delete-a", "delete-live", "no such run"]
    assert store.run_table.delete(wanted, me, at=50.0) == ("delete-a",)
    assert store.run_table.delete(wanted, me, at=60.0) == ()
    assert found(store, me) == ["delete-live", "delete-b"]
    assert found(store, me, is_deleted=True) == ["delete-a"]
    assert "delete-a" not in {record.run_id for record in store.runs(1000)}
    assert store.history("delete-a") is not None, "a link still leads to it"
    assert store.run_table.deleted_before(50.0) == () and store.run_table.deleted_before(51.0) == ("delete-a",)
    assert store.run_table.restore(["delete-a"], me) == 1
    assert found(store, me) == ["delete-live", "delete-b", "delete-a"]


def test_what_is_let_go_of_leaves_nothing_behind(store: RunStore) -> None:
    me = Viewer("go-ann")
    keep(store, me.owner, **{"go-a": RunConfig(), "go-b": RunConfig()})
    store.create_run("go-live", RunConfig(), me.owner, created_at=3.0)
    assert store.flush(LONG)
    assert set(store.run_table.let_go(["go-a", "go-live"])) == {"go-a"}
    assert store.run("go-a") is None and store.rows("go-a") is None and store.history("go-a") is None
    assert found(store, me) == ["go-live", "go-b"]
    assert store.rows("go-b") is not None


def test_the_oldest_that_may_go_are_surplus(url: str) -> None:
    store, me = RunStore(url), Viewer("ann")
    keep(store, me.owner, a=RunConfig(), b=RunConfig(), c=RunConfig(), d=RunConfig())
    store.create_run("live", RunConfig(), me.owner, created_at=9.0)
    assert store.flush(LONG)
    run_table = store.run_table
    assert run_table.surplus(None, None) == () == run_table.surplus(5, None)
    assert run_table.surplus(3, None) == ("a", "b")
    run_table.pin(["a"], me, True)
    assert run_table.surplus(3, None) == ("b", "c")
    assert run_table.surplus(1, None) == ("b", "c", "d"), "neither what is pinned nor what trains"
    run_table.delete(["b"], me, at=1.0)
    assert run_table.surplus(3, None) == ("c",)
    assert run_table.surplus(None, 10**9) == ()
    assert run_table.surplus(None, 1) == ("c", "d")
    total = bisect_left(range(10**7), True, key=lambda most: run_table.surplus(None, most) == ())
    assert run_table.surplus(None, total - 1) == ("c",)
    assert run_table.surplus(None, total - RUN_BYTES - 1) == ("c",), "with a run go its epochs"
    assert store.close()


OWN = Table(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 7.0]))
OWN_CONFIG = RunConfig(epochs=3).on(OWN.reference("own.csv", is_standardised=True))
DAY = 24 * 3600.0


@pytest.fixture
def own_store(url: str) -> Iterator[RunStore]:
    """An empty one."""
    store = RunStore(url)
    yield store
    assert store.close()


def with_own_data(store: RunStore, *run_ids: str) -> None:
    for run_id in run_ids:
        store.create_run(run_id, OWN_CONFIG, "ann", created_at=1.0)
        store.append(run_id, RunStopped(0, 0.0, 0.0, 0.0))
    assert store.flush(LONG)


def test_own_data_come_back_and_are_kept_once(own_store: RunStore) -> None:
    for _time in range(2):
        own_store.data_tables.put(OWN)
    found = own_store.data_tables.find(OWN.digest)
    assert found is not None and found.digest == OWN.digest
    assert own_store.data_tables.find("0" * 64) is None
    with_own_data(own_store, "one")
    record = own_store.run("one")
    assert record is not None and record.config == OWN_CONFIG


def test_own_data_go_with_the_last_run_that_has_them(own_store: RunStore) -> None:
    own_store.data_tables.put(OWN)
    with_own_data(own_store, "one", "two")
    later = time.time() + DAY
    for run_id in ("one", "two"):
        assert own_store.data_tables.let_go(later) == 0
        assert own_store.run_table.let_go([run_id]) == (run_id,)
    assert own_store.data_tables.let_go(time.time() - DAY) == 0, "somebody may be about to train on it"
    assert own_store.data_tables.let_go(later) == 1
    assert own_store.data_tables.find(OWN.digest) is None


def test_own_data_are_bounded_together(own_store: RunStore) -> None:
    small = DataTables(own_store._write, own_store._reading, most_bytes=len(OWN.packed()))
    small.put(OWN)
    small.put(OWN)
    with pytest.raises(NoRoomError, match="must be at most"):
        small.put(OWN.standardised())


def test_a_run_on_own_data_has_no_slope_error_to_sort_by(own_store: RunStore) -> None:
    with_own_data(own_store, "own")
    own_store.create_run("drawn", RunConfig(), "ann", created_at=2.0)
    own_store.append("drawn", block_of(1, 2))
    assert own_store.flush(LONG)
    page = own_store.run_table.page(RunQuery(Viewer("ann", sees_all=True), order=RunOrder.SLOPE_ERROR))
    assert [record.run_id for record in page.rows] == ["drawn", "own"]
