"""What it costs a run at full speed to be saved, and to have checkpoints: with and without, in turns."""

from pathlib import Path
from typing import Final
from unittest import mock

from tests.bench.figure import Figure, pairwise
from tests.bench.training import Timed, recorded, unsaved

SAMPLES: Final = 10_000
FULL: Final = (100_000, 7)
"""Epochs of a run, which are seconds, and pairs of runs."""
QUICK: Final = (2_000, 2)
NEVER: Final = 1e9
MOST_FOR_CHECKPOINTS: Final = 1.03
MOST: Final = 1.05


def measure(extent: tuple[int, int], folder: Path) -> tuple[Figure, ...]:
    """Train the default run's data in each way, in turns."""
    num_epochs, num_pairs = extent
    counted = f"{num_pairs} pairs in turns of {num_epochs:,} epochs, until the last row is committed"
    with recorded(SAMPLES, folder) as saved, unsaved(SAMPLES) as alone:
        checkpoints = _in_turns(saved, lambda epochs: _without_checkpoints(saved, epochs), extent)
        writing = _in_turns(saved, alone, extent)
    return (
        Figure("checkpoints: a run takes longer by", counted, checkpoints, "×", "at most", MOST_FOR_CHECKPOINTS),
        Figure("writing: a run takes longer by", counted, writing, "×", "at most", MOST),
    )


def _in_turns(more: Timed, less: Timed, extent: tuple[int, int]) -> tuple[float, ...]:
    num_epochs, num_pairs = extent
    seconds: dict[Timed, list[float]] = {more: [], less: []}
    for timed in seconds:
        timed(QUICK[0])
    for pair in range(num_pairs):
        for timed in (more, less) if pair % 2 else (less, more):
            seconds[timed].append(timed(num_epochs))
    return pairwise(seconds[more], seconds[less])


def _without_checkpoints(saved: Timed, num_epochs: int) -> float:
    with mock.patch("dpdash.training.loop.epoch_loop.CHECKPOINT_SECONDS", NEVER):
        return saved(num_epochs)
