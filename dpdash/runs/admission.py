"""Whether one more run is let in: decisions only, no threads."""

from collections.abc import Iterable
from dataclasses import dataclass

from dpdash.core.config import EngineName
from dpdash.core.errors import N_, TooManyRunsError
from dpdash.runs.run import LiveRun


@dataclass(frozen=True)
class Admission:
    """How many runs may be live (waiting, training, paused, or told to stop and not over yet) at the same time.

    A browser costs nothing to make up, so that a limit for each of them bounds nothing: hence one for all.
    """

    max_runs_per_owner: int
    max_runs: int
    max_ranks: int
    """Processes of DDP: each takes some 250 MB, also while its run stands paused."""

    def check(self, runs: Iterable[LiveRun], new: LiveRun, in_place_of: LiveRun | None) -> None:
        """Let a browser add a run, perhaps in place of one of its own that has not been told to stop yet.

        Raises:
            TooManyRunsError: when there are as many as there may be.
        """
        replaced = None if in_place_of is None or in_place_of.control.stop_reason else in_place_of
        live = [run for run in runs if not run.is_over and run is not replaced]
        num_own = sum(run.owner == new.owner for run in live)
        if num_own >= self.max_runs_per_owner:
            raise TooManyRunsError(
                N_(
                    "Runs of one browser at the same time must be at most {limit} on this server. "
                    "Received: {received}. Stop one of them, or wait until one is over."
                ),
                limit=self.max_runs_per_owner,
                received=num_own + 1,
            )
        if len(live) >= self.max_runs:
            raise TooManyRunsError(
                N_(
                    "Runs of all browsers at the same time must be at most {limit} on this server. "
                    "Received: {received}. Try again when one of them is over."
                ),
                limit=self.max_runs,
                received=len(live) + 1,
            )
        num_ranks = sum(map(_num_ranks, (*live, new)))
        if _num_ranks(new) and num_ranks > self.max_ranks:
            raise TooManyRunsError(
                N_(
                    "Processes of DDP at the same time must be at most {limit} on this server, of all browsers "
                    "together. Received: {received}. Try DataParallel, or again when a run of DDP is over."
                ),
                limit=self.max_ranks,
                received=num_ranks,
            )


def _num_ranks(run: LiveRun) -> int:
    return run.config.replicas if run.config.engine is EngineName.DDP else 0
