"""One run of this process: its thread, its control, and what it has said so far."""

import logging
import math
import threading
from collections.abc import Callable

from dpdash.config import RunConfig
from dpdash.engines.base import Engine
from dpdash.engines.control import RunControl
from dpdash.events import RunFailed, RunPaused, RunStatus, RunStopped, StopReason
from dpdash.history import History
from dpdash.runs.pace import Pace
from dpdash.runs.recorder import Recorder
from dpdash.runs.store import RunRecord, RunStore

_log = logging.getLogger(__name__)


class LiveRun:
    """A run from its start to its end; the roster's lock guards everything but the thread itself."""

    def __init__(
        self,
        run_id: str,
        config: RunConfig,
        owner: str,
        pace: Pace,
        engine: Engine,
        store: RunStore | None,
        clock: Callable[[], float],
        sweep_id: str | None = None,
    ) -> None:
        """`clock` is Unix time in seconds."""
        self.run_id = run_id
        self.sweep_id = sweep_id
        self.config = config
        self.owner = owner
        self.pace = pace
        self.created_at = clock()
        self.ended_at: float | None = None
        self.control = RunControl(pace.epochs_per_second(config))
        self.history = History()
        self.over = threading.Event()
        self.recorder = Recorder(run_id, self.history, store, self._on_status)
        self._clock = clock
        self._engine = engine
        self._thread: threading.Thread | None = None
        self._store = store

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
            best_loss=float(now.low[0].min()) if now.num_epochs else None,
            sweep_id=self.sweep_id,
        )

    def register(self) -> None:
        """Let the store know of the run, before its first event."""
        if self._store is not None:
            self._store.create_run(self.run_id, self.config, self.owner, self.created_at, self.sweep_id)

    def launch(self, on_end: Callable[[], None]) -> None:
        """Train in a thread of its own; `on_end` is called there at the very end."""
        # A daemon, so that an engine that hangs cannot keep the process alive.
        self._thread = threading.Thread(target=self._train, args=(on_end,), name=f"run-{self.run_id}", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for the thread to end."""
        if self._thread is not None:
            self._thread.join(timeout)

    def pause_before_launch(self) -> None:
        self.control.pause()
        self.recorder.emit(RunPaused(epoch=0))

    def stop_before_launch(self, reason: StopReason) -> None:
        """End a run that never began: it has no line."""
        self.control.stop(reason)
        self.recorder.emit(RunStopped(0, slope=math.nan, intercept=math.nan, seconds=0.0, reason=reason))

    def _on_status(self, status: RunStatus) -> None:
        if status.is_over:
            # The clock may have been set back meanwhile, but no run ends before it began.
            self.ended_at = max(self.created_at, self._clock())
            self.over.set()

    def _train(self, on_end: Callable[[], None]) -> None:
        try:
            self._engine.run(self.config, self.recorder.emit, self.control)
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
