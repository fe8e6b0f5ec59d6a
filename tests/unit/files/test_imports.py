"""From one database into another, through a file."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from dpdash.core.config import RunConfig
from dpdash.core.errors import RunFileError, StoreError, UnknownRunError
from dpdash.core.events import EpochBlock, RunFinished, RunStatus
from dpdash.core.own_data import Table
from dpdash.core.settings import ServerSettings
from dpdash.files.bounds import MOST_RUNS
from dpdash.files.imports import import_runs
from dpdash.files.run import whole_runs
from dpdash.runs.service import RunService
from dpdash.store.absent import AbsentStore
from dpdash.store.store import RunStore
from tests.fakes import block_of
from tests.unit.files.made_up import LOG, NUM_EPOCHS, file_of, whole_run

LONG = 20.0
IMPORTER = "the importer"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    yield store
    store.close()


@pytest.fixture
def service(store: RunStore, tmp_path: Path) -> Iterator[RunService]:
    service = RunService(ServerSettings(database_url=f"sqlite:///{tmp_path / 'runs.db'}", max_samples=1000), store)
    yield service
    service.shutdown()


def trained(store: RunStore, run_id: str, config: RunConfig | None = None) -> None:
    store.create_run(run_id, config or RunConfig(samples=100, epochs=NUM_EPOCHS), "ann", 1000.5)
    for event in LOG:
        store.append(run_id, event)
    assert store.flush(LONG)


def test_a_run_comes_back_as_a_new_one_of_the_importers(service: RunService, store: RunStore) -> None:
    trained(store, "old")
    before = store.run("old")
    (run_id,) = import_runs(file_of(*whole_runs(service.runs, ["old"])), service, IMPORTER)
    assert run_id != "old"
    assert store.run("old") == before, "the old one stays as it was"
    assert store.rows(run_id) == store.rows("old")
    record, old = store.run(run_id), before
    assert record is not None and old is not None
    assert (record.owner, record.is_imported, record.status) == (IMPORTER, True, RunStatus.FINISHED)
    for name in ("config", "created_at", "num_epochs", "loss", "slope", "intercept", "seconds", "best_loss"):
        assert getattr(record, name) == getattr(old, name), name
    shown, of_old = service.runs.snapshot(run_id), service.runs.snapshot("old")
    assert shown.is_imported and not of_old.is_imported
    assert shown.history.ended == of_old.history.ended
    assert shown.history.learning_rate_changes == of_old.history.learning_rate_changes
    assert shown.history.started == of_old.history.started


def test_a_run_without_an_end_is_interrupted(service: RunService, store: RunStore) -> None:
    (run_id,) = import_runs(file_of(whole_run(LOG[:-1])), service, IMPORTER)
    record = store.run(run_id)
    assert record is not None
    assert record.status is service.runs.snapshot(run_id).status is RunStatus.INTERRUPTED


def test_names_notes_and_tags_come_along(service: RunService, store: RunStore) -> None:
    run = whole_run(name="The best", note="a note", tags=("a", "b"))
    (run_id,) = import_runs(file_of(run), service, IMPORTER)
    record = store.run(run_id)
    assert record is not None
    assert (record.name, record.note, record.tags) == ("The best", "a note", ("a", "b"))


def test_of_a_file_with_one_bad_run_nothing_is_saved(service: RunService, store: RunStore) -> None:
    bad = whole_run((*LOG[:-1], RunFinished(7, 1.0, 1.0, 1.0)))
    with pytest.raises(RunFileError):
        import_runs(file_of(whole_run(), bad), service, IMPORTER)
    assert store.runs() == ()


def test_a_run_that_is_larger_than_the_server_allows_is_refused(service: RunService, store: RunStore) -> None:
    large = whole_run(config=RunConfig(samples=2_000, epochs=NUM_EPOCHS))
    with pytest.raises(RunFileError, match=r"Run 2 of the file is larger .* samples must be at most 1000 on this"):
        import_runs(file_of(whole_run(), large), service, IMPORTER)
    assert store.runs() == ()


def test_what_goes_wrong_in_the_middle_leaves_nothing(store: RunStore, service: RunService) -> None:
    trained(store, "taken")
    (arrived,) = (run for run in [whole_run()])
    parts = import_runs(file_of(arrived), service, IMPORTER)
    known = store.run(parts[0])
    assert known is not None
    from dpdash.files.run_reader import read_runs

    (run,) = read_runs(file_of(arrived))
    with pytest.raises(StoreError):
        store.transfer.put({"new": run, "taken": run}, IMPORTER)
    assert store.run("new") is None
    taken = store.run("taken")
    assert taken is not None
    assert (taken.owner, taken.is_imported) == ("ann", False), "an existing run is never written over"


def test_blocks_are_read_a_few_at_a_time_and_only_as_they_are_taken(store: RunStore) -> None:
    store.create_run("long", RunConfig(epochs=1000), "ann", 1.0)
    for first_epoch in range(1, 1001, 10):
        store.append("long", block_of(first_epoch, 10))
        assert store.flush(LONG)
    blocks = store.transfer.blocks("long")
    next(blocks)
    store.append("long", block_of(1001, 10))
    assert store.flush(LONG)
    rest: list[EpochBlock] = list(blocks)
    assert rest[-1].last_epoch == 1010, "what came while it was read is there too"


def test_only_runs_that_are_there_go_out(service: RunService) -> None:
    with pytest.raises(UnknownRunError):
        whole_runs(service.runs, ["nobody"])
    for run_ids in ([], ["x"] * (MOST_RUNS + 1)):
        with pytest.raises(RunFileError, match="One file holds 1 to 100 runs"):
            whole_runs(service.runs, run_ids)


def test_without_a_database_it_is_said() -> None:
    service = RunService(ServerSettings(), AbsentStore())
    try:
        with pytest.raises(StoreError, match="uses no database"):
            import_runs(file_of(whole_run()), service, IMPORTER)
    finally:
        service.shutdown()


OWN = Table(np.linspace(0, 1, 5000), np.linspace(1, 2, 5000) ** 2)


def with_own_data(service: RunService, store: RunStore, *run_ids: str) -> None:
    service.own_tables.take(OWN)
    for run_id in run_ids:
        trained(store, run_id, RunConfig(epochs=NUM_EPOCHS).on(OWN.reference("own.csv", is_standardised=True)))


def test_own_data_come_along_once_for_all_their_runs(tmp_path: Path) -> None:
    store, other = (RunStore(f"sqlite:///{tmp_path / name}") for name in ("from.db", "to.db"))
    source, target = RunService(ServerSettings(), store), RunService(ServerSettings(), other)
    with_own_data(source, store, "one", "two")
    file = file_of(*whole_runs(source.runs, ["one", "two"]))
    assert file.getvalue().count(b'"data": {"x"') == 2, "5,000 rows take two parts"
    source.shutdown()
    run_ids = import_runs(file, target, IMPORTER)
    for run_id in run_ids:
        record = other.run(run_id)
        assert record is not None and record.config.data == OWN.reference("own.csv", is_standardised=True)
    found = other.data_tables.find(OWN.digest)
    assert found is not None and found.digest == OWN.digest
    target.shutdown()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"x": [0.0', b'"x": [0.5'),
        (b'"x": [0.0', b'"x": ["no"'),
        (b'"rows": 5000', b'"rows": 4999'),
        (b'{"x"', b'{"z"'),
    ],
)
def test_own_data_that_are_not_the_runs_are_refused(
    tmp_path: Path, service: RunService, store: RunStore, old: bytes, new: bytes
) -> None:
    with_own_data(service, store, "one")
    file = file_of(*whole_runs(service.runs, ["one"])).getvalue()
    assert old in file
    with pytest.raises(RunFileError):
        import_runs(BytesIO(file.replace(old, new)), service, IMPORTER)
