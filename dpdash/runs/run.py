"""One run of this process: its thread, its control, and what it has said so far."""

import logging
import math
import threading
from collections.abc import Callable
from typing import Final

from dpdash.core.config import RunConfig
from dpdash.core.events import RunFailed, RunPaused, RunStatus, RunStopped, StopReason
from dpdash.core.history import History
from dpdash.runs.pace import Pace
from dpdash.runs.recorder import Recorder
from dpdash.store.absent import Store
from dpdash.store.resuming import Past
from dpdash.store.store import RunRecord
from dpdash.training.control import RunControl
from dpdash.training.engine import Engine

FIRST_TRACE_SECONDS: Final = 0.3
"""A run takes its first step apart where that is so quick; otherwise, and for a trial, somebody has to ask."""
_log = logging.getLogger(__name__)


class LiveRun:
    """A run from its start to its end; the scheduler's lock guards everything but the thread itself."""

    def __init__(
        self,
        run_id: str,
        config: RunConfig,
        owner: str,
        pace: Pace,
        engine: Engine,
        store: Store,
        clock: Callable[[], float],
        sweep_id: str | None = None,
        past: Past | None = None,
    ) -> None:
        """`clock` is Unix time in seconds; with a `past`, the run goes on where that ends."""
        self.run_id = run_id
        self.sweep_id = past.record.sweep_id if past else sweep_id
        self.config = config
        self.owner = owner
        self.pace = pace
        self.created_at = past.record.created_at if past else clock()
        self.ended_at: float | None = None
        self.control = RunControl(pace.epochs_per_second(config))
        if self.sweep_id is None:
            self.control.trace_step(FIRST_TRACE_SECONDS)
        self.history = past.history if past else History()
        self.over = threading.Event()
        self.recorder = Recorder(run_id, self.history, store, self._on_status)
        self._clock = clock
        self._engine = engine
        self._thread: threading.Thread | None = None
        self._store = store
        self._past = past

    @property
    def resumed_from(self) -> int | None:
        """The epoch behind which a run went on that had ended before; 0 where it had no checkpoint."""
        return self._past.start.epoch if self._past else None

    @property
    def is_launched(self) -> bool:
        """Whether the engine has been called."""
        return self._thread is not None

    @property
    def is_over(self) -> bool:
        return self.recorder.is_over

    def record(self) -> RunRecord:
        """The run as the store would list it."""
        now = self.history.snapshot()
        latest, line, ended = now.latest, now.line, now.ended
        return RunRecord(
            run_id=self.run_id,
            config=self.config,
            owner=self.owner,
            status=now.status,
            created_at=self.created_at,
            ended_at=self.ended_at,
            num_epochs=now.num_epochs,
            loss=latest.loss if latest else None,
            slope=line[0] if line else None,
            intercept=line[1] if line else None,
            seconds=ended.seconds if ended else now.seconds,
            message=ended.message if isinstance(ended, RunFailed) else None,
            best_loss=now.best_loss,
            sweep_id=self.sweep_id,
            learning_rate_changes=now.learning_rate_changes,
        )

    def register(self) -> None:
        """Let the store know of the run, before its first event.

        Raises:
            NotResumableError: when it was to go on and cannot any more.
            StoreError: when it was to go on and the database cannot be used.
        """
        if self._past is not None:
            self._store.resumption.take_up(self._past, self.record())
        else:
            self._store.create_run(self.run_id, self.config, self.owner, self.created_at, self.sweep_id)

    def launch(self, on_end: Callable[[], None]) -> None:
        """Train in a thread of its own; `on_end` is called there at the very end."""
        # A daemon, so that an engine that hangs cannot keep the process alive.
        self._thread = threading.Thread(target=self._train, args=(on_end,), name=f"run-{self.run_id}", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the thread to end; whether there is none any more."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def pause_before_launch(self) -> None:
        self.control.pause()
        self.recorder.emit(RunPaused(self.history.snapshot().num_epochs))

    def stop_before_launch(self, reason: StopReason) -> None:
        """End a run that never began, or did not begin again: its line is that of its last row, if it has any."""
        self.control.stop(reason)
        so_far = self.history.snapshot()
        slope, intercept = so_far.line or (math.nan, math.nan)
        self.recorder.emit(RunStopped(so_far.num_epochs, slope, intercept, so_far.seconds, reason))

    def _on_status(self, status: RunStatus) -> None:
        if status.is_over:
            # The clock may have been set back meanwhile, but no run ends before it began.
            self.ended_at = max(self.created_at, self._clock())
            self.over.set()

    def _train(self, on_end: Callable[[], None]) -> None:
        try:
            start = self._past.start if self._past else None
            self._engine.run(self.config, self.recorder.emit, self.control, start)
            if not self.is_over:
                raise RuntimeError(f"the engine {self._engine.name} returned without saying how the run ended")
        except BaseException as error:
            _log.exception("Run %s failed", self.run_id)
            self._fail(error)
        finally:
            on_end()

    def _fail(self, error: BaseException) -> None:
        so_far = self.history.snapshot()
        self.recorder.emit(RunFailed.of(error, so_far.num_epochs, so_far.seconds))
