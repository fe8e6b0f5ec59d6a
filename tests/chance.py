"""Chance whose seed is printed, so that a failure can be had again."""

import os
import random
from typing import Final

SEED: Final = "TEST_SEED"


def chance() -> random.Random:
    """A source of its own, from the seed in the environment, or else from a new one; says which."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(2**32))
    print(f"To have these moments again: {SEED}={seed}", flush=True)  # noqa: T201  # pytest shows it of what fails
    return random.Random(seed)
