"""How large a file of runs may be when it comes in, and how many runs go out at once."""

from typing import Final

from dpdash.core.config import bounds
from dpdash.core.own_data import MOST_ROWS

MOST_RUNS: Final = 100
"""Runs in one file, either way."""
MOST_FILE_EPOCHS: Final = 2 * int(bounds("epochs")[1])
"""Epochs of all runs of a file that comes in: at most 80 MB, which is what an import keeps until it is saved."""
MOST_FILE_DATA_ROWS: Final = 2 * MOST_ROWS
"""Of all own data of a file that comes in: 16 bytes each."""
MOST_FILE_BYTES: Final = 256 * 2**20
"""A million epochs take about 100 MB as JSON. A file is read line by line: this bounds time and not memory."""
MOST_PARTS: Final = 50_000
MOST_PART_BYTES: Final = 2 * 2**20
"""The longest line, which is parsed at once: JSON takes up to thirty times its length in memory."""
MOST_PART_ROWS: Final = 8_192
DEEPEST: Final = 8
"""Objects and lists inside each other; what dpdash writes has five."""
MOST_NUMBER_DIGITS: Final = 400
LONGEST_MESSAGE: Final = 500
MOST_DEVICES: Final = int(bounds("replicas")[1])
