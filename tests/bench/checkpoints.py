"""What checkpoints cost a run at full speed: with and without them, in turns, saved both times."""

from pathlib import Path
from typing import Final
from unittest import mock

from tests.bench.figure import Figure, pairwise
from tests.bench.training import recorded

SAMPLES: Final = 10_000
FULL: Final = (100_000, 5)
"""Epochs of a run, which are seconds, and pairs of runs."""
QUICK: Final = (2_000, 2)
NEVER: Final = 1e9
MOST: Final = 1.03


def measure(extent: tuple[int, int], folder: Path) -> tuple[Figure, ...]:
    """Train the default run's data with checkpoints and without, in turns."""
    num_epochs, num_pairs = extent
    with_them: list[float] = []
    without: list[float] = []
    with recorded(SAMPLES, folder) as timed:
        timed(QUICK[0])
        for pair in range(num_pairs):
            for takes in (True, False) if pair % 2 else (False, True):
                if takes:
                    with_them.append(timed(num_epochs))
                else:
                    with mock.patch("dpdash.engines.epoch_loop.CHECKPOINT_SECONDS", NEVER):
                        without.append(timed(num_epochs))
    counted = f"{num_pairs} pairs in turns of {num_epochs:,} epochs, until the last row is committed"
    return (
        Figure("checkpoints: a run takes longer by", counted, pairwise(with_them, without), "×", "at most", MOST),
    )
