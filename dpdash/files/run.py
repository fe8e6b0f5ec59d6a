"""A run with all of its epochs at hand, which are read only as fast as they are written elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dpdash.core.errors import N_, RunFileError
from dpdash.core.events import EpochBlock
from dpdash.core.history import HistorySnapshot
from dpdash.core.translations import Language
from dpdash.files.bounds import MOST_RUNS
from dpdash.runs.ids import unknown_run
from dpdash.runs.reader import RunReader
from dpdash.store.rows import RunRecord


@dataclass(frozen=True)
class WholeRun:
    """A run as it was when it was asked for, and a way to its epochs."""

    record: RunRecord
    history: HistorySnapshot
    blocks: Callable[[], Iterator[EpochBlock]]
    """Every epoch from the first, in blocks; a call reads them anew, a few at a time."""

    def name(self, language: Language) -> str:
        """What a person calls it, else the name that it has by itself."""
        record = self.record
        return record.name or language.run_name(record.config, record.learning_rate_changes)


def whole_runs(service: RunReader, run_ids: Sequence[str]) -> tuple[WholeRun, ...]:
    """Stored runs, in the order given.

    Raises:
        RunFileError: when there are none, or more than fit into one file.
        UnknownRunError: when there is no such run.
        StoreError: when the database cannot be read.
    """
    if not 1 <= len(run_ids) <= MOST_RUNS:
        raise RunFileError(
            N_("One file holds 1 to {limit} runs. Received: {received}. Choose fewer, or export them in turns."),
            limit=MOST_RUNS,
            received=len(run_ids),
        )
    return tuple(_whole_run(service, run_id) for run_id in dict.fromkeys(run_ids))


def _whole_run(service: RunReader, run_id: str) -> WholeRun:
    record = service.record(run_id)
    if record.deleted_at is not None:
        raise unknown_run(run_id)
    history = service.snapshot(run_id).history
    return WholeRun(record, history, lambda: service.blocks(run_id))
