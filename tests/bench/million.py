"""A run of a million epochs: its memory, the time of a page update, and what waits to be written."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil
from streamlit.logger import set_log_level

from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
from dpdash.runs.service import Pace, RunService
from dpdash.store.store import RunStore
from dpdash.ui.parts.metrics import metrics
from dpdash.ui.session.language import LANGUAGE
from dpdash.ui.train import advice, live
from dpdash.ui.train.charts import training_updates
from dpdash.ui.train.views import ViewName, view_updates
from tests.bench.figure import Figure, pairwise
from tests.bench.training import OWNER, check_stored, opened_service

POLL_SECONDS: Final = 0.002
LONGEST_SECONDS: Final = 300.0
ANSWER_SECONDS: Final = 30.0
UPDATES_IN_A_ROW: Final = 20
STRETCH: Final = 0.1
"""Share of the run at its beginning and at its end over which what waits to be written is compared."""
EPOCHS_TO_STAND: Final = 10_000
MB: Final = 1e6


@dataclass(frozen=True)
class Size:
    """How far the run goes, where it is compared with its end, and how often."""

    samples: int
    epochs: int
    early: int
    pairs: int

    @property
    def late(self) -> int:
        """Shortly before the end, with the time left to make the run stand."""
        return self.epochs - EPOCHS_TO_STAND


FULL: Final = Size(samples=1000, epochs=1_000_000, early=20_000, pairs=5)
QUICK: Final = Size(samples=1000, epochs=60_000, early=20_000, pairs=5)


def measure(size: Size, folder: Path) -> list[Figure]:
    """Let one run stand early and a second one shortly before its end, and compare them in turns."""
    # Pages' texts ask Streamlit for the language; outside a server it keeps one session and warns every time.
    set_log_level("error")
    LANGUAGE.put("en")
    config = RunConfig(samples=size.samples, epochs=size.epochs)
    process = psutil.Process()
    with opened_service(folder) as (service, store):
        young = service.start(config, OWNER, Pace.full_speed())
        _stand_at(service, young, size.early, lambda: None)
        for _update in range(UPDATES_IN_A_ROW):
            _update_seconds(service, young)

        old = service.start(config, OWNER, Pace.full_speed())
        queue = _Queue(size, store, service, old)
        _stand_at(service, old, size.early, queue.look)
        _update_seconds(service, old)
        early_memory = process.memory_info().rss
        service.resume(old, OWNER)
        _stand_at(service, old, size.late, queue.look)
        _update_seconds(service, old)
        late_memory = process.memory_info().rss

        pairs = [(_median_update(service, young), _median_update(service, old)) for _pair in range(size.pairs)]
        service.resume(old, OWNER)
        assert service.runs.wait(old, LONGEST_SECONDS)
        check_stored(service, old, size.epochs)
    early_times, late_times = zip(*pairs, strict=True)
    return _figures(size, (early_memory, late_memory), early_times, late_times, queue)


def update_page(service: RunService, run_id: str) -> str:
    """All that a refresh of the Train page computes and sends, without Streamlit's own part."""
    shown = service.runs.snapshot(run_id)
    view = live._view(shown)
    charts = training_updates(view) | view_updates(ViewName.SURFACE, view)
    found = advice._verdict(shown, view)
    return json.dumps(
        [
            {key: [asdict(update) for update in updates] for key, updates in charts.items()},
            [asdict(metric) for metric in metrics(view)],
            advice._text(found),
            live._seconds_left(shown),
        ]
    )


class _Queue:
    """The most that waited to be written, early and late; keeps nothing else, because memory is measured."""

    def __init__(self, size: Size, store: RunStore, service: RunService, run_id: str) -> None:
        self._store, self._service, self._run_id = store, service, run_id
        self._early_end = size.early + STRETCH * size.epochs
        self._early_begin, self._late_begin = size.early, size.late - STRETCH * size.epochs
        self.early_peak = self.late_peak = 0

    def look(self) -> None:
        epoch = self._service.runs.snapshot(self._run_id).history.num_epochs
        waiting = self._store._writer._pending_bytes
        if self._early_begin <= epoch <= self._early_end:
            self.early_peak = max(self.early_peak, waiting)
        if epoch >= self._late_begin:
            self.late_peak = max(self.late_peak, waiting)


def _stand_at(service: RunService, run_id: str, epoch: int, look: Callable[[], None]) -> None:
    """Let a run stand still as soon as it has trained so many epochs, looking on meanwhile."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while service.runs.snapshot(run_id).history.num_epochs < epoch:
        look()
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)
    service.pause(run_id, OWNER)
    _wait_until(lambda: service.runs.snapshot(run_id).status is RunStatus.PAUSED)


def _update_seconds(service: RunService, run_id: str) -> float:
    """Time of one page update right after a new epoch, so that nothing is left over from the last."""
    epoch = service.runs.snapshot(run_id).history.num_epochs
    service.step(run_id, OWNER)
    run = service._scheduler.get(run_id)
    assert run is not None
    # Asking for a snapshot here would take the one that the update has to take.
    _wait_until(lambda: run.history._buckets.num_epochs > epoch)
    time.sleep(POLL_SECONDS)
    began = time.perf_counter()
    update_page(service, run_id)
    return time.perf_counter() - began


def _median_update(service: RunService, run_id: str) -> float:
    return statistics.median(_update_seconds(service, run_id) for _update in range(UPDATES_IN_A_ROW))


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)


def _figures(
    size: Size,
    memory: tuple[int, int],
    early_times: tuple[float, ...],
    late_times: tuple[float, ...],
    queue: _Queue,
) -> list[Figure]:
    where = f"epoch {size.early:,} and epoch {size.late:,} of {size.epochs:,}, {size.samples:,} samples"
    early_memory, late_memory = memory
    return [
        Figure(
            "long run: page update, late / early",
            f"{where}: two runs that stand there, in turns, {size.pairs} pairs of medians of {UPDATES_IN_A_ROW} "
            "updates, each after a new epoch; all that a refresh computes and packs. A history keeps 1,024 to "
            "2,048 stretches of epochs, so up to 1.25 is no growth",
            pairwise(late_times, early_times),
            "×",
            "at most",
            1.25,
        ),
        Figure("long run: page update, early", where, tuple(1e3 * value for value in early_times), "ms"),
        Figure("long run: page update, late", where, tuple(1e3 * value for value in late_times), "ms"),
        Figure(
            "long run: memory, late / early",
            f"resident memory of the process, {where}; one number kept per epoch would be 8 MB",
            (late_memory / early_memory,),
            "×",
            "at most",
            1.02,
        ),
        Figure("long run: memory, late − early", where, ((late_memory - early_memory) / MB,), "MB"),
        Figure(
            "long run: waiting to be written, late / early",
            f"most bytes queued for the database over the last {STRETCH:.0%} of the run and over as many epochs "
            f"from epoch {size.early:,}; {queue.late_peak / MB:.2g} MB late",
            (queue.late_peak / queue.early_peak,),
            "×",
            "at most",
            2.0,
        ),
    ]
