"""Wears dpdash down, for minutes. Prints a table; exit status 1 when a bar is missed."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.figure import Figure
from tests.soak import crowd, kills, links, locks, resumes, room

PARTS: Final[Mapping[str, Callable[[Path], tuple[Figure, ...]]]] = {
    "kills": kills.wear,
    "resumes": resumes.wear,
    "locks": locks.wear,
    "links": links.wear,
    "crowd": crowd.wear,
    "room": room.wear,
}
COLUMNS: Final = ("Figure", "Median", "Min – max", "Bar", "Met")
WIDE: Final = 140


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be given again")
    figures: list[Figure] = []
    for name in parser.parse_args().only or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            figures += PARTS[name](Path(folder))
    table = Table(*COLUMNS)
    for figure in figures:
        table.add_row(*figure.cells())
    # Into a pipe, nothing is cut.
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    console.print(table)
    return int(any(figure.is_met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
