"""When each phase of a step ran, by the clock of the device that ran it."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch

from dpdash.core.steps import OneStep, Phase, Span

SECONDS_PER_MILLISECOND: Final = 1e-3
Mark = float | torch.cuda.Event
Reading = tuple[Phase, int, int, Mark, Mark]
"""One phase on one device: phase, lane, which stretch, and the marks of its begin and its end.

A plain tuple, because noting one is part of the time that is measured.
"""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Time between two pauses of the stopwatch."""

    offset: float
    """Seconds that were counted before."""
    origins: tuple[Mark, ...]
    """When it began, one mark a lane: the clocks of two GPUs cannot be compared."""


class Stopwatch:
    """Notes the phases of one step; threads may note theirs at the same time.

    On GPUs it asks for CUDA events, because the CPU only queues the work there; on the CPU it reads the clock.
    """

    def __init__(self, lanes: Sequence[torch.device], *, named: bool = False) -> None:
        """`lanes` are the replicas' devices. When `named`, `torch.profiler` sees each phase by its name."""
        self._lanes = tuple(lanes)
        self._is_on_cpu = self._lanes[0].type == "cpu"
        self._clock = time.perf_counter
        self._mark: Callable[[int], Mark] = self._read_clock if self._is_on_cpu else self._record_event
        self._readings: list[Reading] = []
        self._stretches: list[_Stretch] = []
        self.seconds = 0.0
        """Counted so far, without what came between a pause and the next start."""
        self.began_at = 0.0
        """The last start by the clock that all processes of this computer share, in seconds."""
        self.begin = self._begin_named if named else self._begin
        """Note that a phase begins on a device; what is returned notes its end, on the same thread."""

    def start(self) -> None:
        """Begin to count, or go on."""
        self._wait_for_devices()
        self.began_at = self._clock()
        origins = (self.began_at,) * len(self._lanes) if self._is_on_cpu else self._marks()
        self._stretches.append(_Stretch(self.seconds, origins))

    def pause(self) -> None:
        """Stop counting once everything is done."""
        self._wait_for_devices()
        stretch = self._stretches[-1]
        marks = self._marks()
        self._wait_for_devices()
        self.seconds = stretch.offset + max(map(self._between, stretch.origins, marks))

    def step(self) -> OneStep:
        """Everything that was noted, by its begin. What one worker did without a change of phase is one span."""
        spans = _joined(self.each(), lambda span: 0 if self._is_on_cpu else span.lane)
        return OneStep(tuple(spans), self.seconds)

    def each(self) -> tuple[Span, ...]:
        """Everything that was noted, one by one, by its begin."""
        return tuple(sorted(map(self._span, self._readings), key=lambda span: span.start))

    def num_readings(self) -> Counter[Phase]:
        """How often each phase was noted."""
        return Counter(phase for phase, *_rest in self._readings)

    def _begin(self, phase: Phase, lane: int) -> Callable[[], None]:
        mark, note, stretch = self._mark, self._readings.append, len(self._stretches) - 1
        began = mark(lane)

        def end() -> None:
            note((phase, lane, stretch, began, mark(lane)))

        return end

    def _begin_named(self, phase: Phase, lane: int) -> Callable[[], None]:
        name = torch.profiler.record_function(f"{phase} on replica {lane}")
        name.__enter__()  # type: ignore[no-untyped-call]  # torch's
        end = self._begin(phase, lane)

        def end_named() -> None:
            end()
            name.__exit__(None, None, None)

        return end_named

    def _span(self, reading: Reading) -> Span:
        phase, lane, of_stretch, began, ended = reading
        stretch = self._stretches[of_stretch]
        start = stretch.offset + self._between(stretch.origins[lane], began)
        return Span(phase, lane, start, self._between(began, ended))

    def _marks(self) -> tuple[Mark, ...]:
        return tuple(map(self._mark, range(len(self._lanes))))

    def _read_clock(self, _lane: int) -> float:
        return self._clock()

    def _record_event(self, lane: int) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._lanes[lane]))
        return event

    def _between(self, begin: Mark, end: Mark) -> float:
        if isinstance(begin, float) or isinstance(end, float):
            assert isinstance(begin, float) and isinstance(end, float)
            return end - begin
        milliseconds: float = begin.elapsed_time(end)
        return milliseconds * SECONDS_PER_MILLISECOND

    def _wait_for_devices(self) -> None:
        if not self._is_on_cpu:
            for device in set(self._lanes):
                torch.cuda.synchronize(device)


def _joined(spans: Iterable[Span], worker_of: Callable[[Span], int]) -> list[Span]:
    """Backward goes from operation to operation: those that follow each other on a worker are one span."""
    joined: list[Span] = []
    latest: dict[int, int] = {}
    for span in spans:
        worker = worker_of(span)
        at = latest.get(worker)
        if at is not None and (joined[at].phase, joined[at].lane) == (span.phase, span.lane):
            end = max(joined[at].start + joined[at].seconds, span.start + span.seconds)
            joined[at] = replace(joined[at], seconds=end - joined[at].start)
            continue
        latest[worker] = len(joined)
        joined.append(span)
    return joined
