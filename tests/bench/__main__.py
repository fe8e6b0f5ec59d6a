"""Measures speed: training against the bare loop, a long run, files, DDP, the page, 10,000 runs, a sweep, a crowd.

And whether a study adds up.

Prints a table and writes JSON. Exit status 1 when a target is missed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser
from rich.console import Console
from rich.table import Table

from tests.bench import adds_up, crowd, ddp, export, machine, million, page, runs, saving, sweep, tracing, visit
from tests.bench.figure import Figure
from tests.bench.training import DEFINITIONS, Definition, bare_listing, compare, recorded
from tests.e2e.browser import launched_browser

OUTPUT: Final = Path(__file__).resolve().parents[2] / "build" / "bench.json"
# The long run comes first: its memory is measured in a process that has done nothing else.
PARTS: Final = (
    "million",
    "export",
    "training",
    "saving",
    "tracing",
    "ddp",
    "adds-up",
    "page",
    "runs",
    "sweep",
    "crowd",
)
COLUMNS: Final = ("Figure", "Median", "Min – max", "Target", "Met")
PAIRS: Final = 5
QUICK_SHARE: Final = 0.05
WIDE: Final = 120

progress = Console(stderr=True)


def main() -> int:
    arguments = _arguments()
    if arguments.markdown:
        _print_markdown(json.loads(arguments.output.read_text()))
        return 0
    figures: list[Figure] = []
    described = machine.describe()
    for part in arguments.only or PARTS:
        with tempfile.TemporaryDirectory() as folder, progress.status(f"measuring: {part}"):
            figures += _measured(part, Path(folder), arguments.quick, described)
    _print_table(figures)
    report = {
        "quick": arguments.quick,
        "machine": described,
        "figures": [figure.json() | {"cells": figure.cells()} for figure in figures],
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=2) + "\n")
    missed = any(figure.is_met is False for figure in figures)
    return int(missed and not arguments.quick)


def _measured(part: str, folder: Path, quick: bool, described: dict[str, str]) -> Iterable[Figure]:
    """The figures of one part; the page's also tell which browser it was."""
    if part == "training":
        return _training(folder, quick)
    if part == "tracing":
        return tracing.measure(quick=quick)
    if part == "page":
        with launched_browser() as browser:
            described["browser"] = f"{browser.browser_type.name} {browser.version}"
            return _page(folder, quick, browser)
    if part == "ddp":
        return ddp.measure(ddp.QUICK if quick else ddp.FULL)
    if part == "adds-up":
        return adds_up.measure(adds_up.QUICK if quick else adds_up.FULL)
    return _in_folder(part, folder, quick)


def _in_folder(part: str, folder: Path, quick: bool) -> Iterable[Figure]:
    """The figures of a part that keeps runs or files."""
    if part == "sweep":
        return sweep.measure(sweep.QUICK if quick else sweep.FULL, folder)
    if part == "million":
        return million.measure(million.QUICK if quick else million.FULL, folder)
    if part == "export":
        return export.measure(export.QUICK if quick else export.FULL, folder)
    if part == "saving":
        return saving.measure(saving.QUICK if quick else saving.FULL, folder)
    if part == "runs":
        return runs.measure(runs.QUICK if quick else runs.FULL, folder)
    return crowd.measure(crowd.QUICK if quick else crowd.FULL, folder)


def _page(folder: Path, quick: bool, browser: Browser) -> list[Figure]:
    figures = page.measure(page.QUICK if quick else page.FULL, folder, browser)
    return [*figures, *visit.measure(visit.QUICK if quick else visit.FULL, folder, browser)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="measure this part alone; may be given again"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the JSON goes: %(default)s")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="see in a minute that everything works; such figures mean nothing and miss no target",
    )
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="measure nothing: print the latest JSON as docs/performance.md has it",
    )
    return parser.parse_args()


def _training(folder: Path, quick: bool) -> Iterator[Figure]:
    for name, full in DEFINITIONS.items():
        each = _shortened(full) if quick else full
        database = folder / str(each.samples)
        database.mkdir()
        with recorded(each.samples, database) as ours:
            ratio = compare(ours, bare_listing(each.samples), each.low, each.high, PAIRS)
        yield Figure(
            f"training: {name}",
            f"{PAIRS} pairs in turns, each T({each.high:,}) − T({each.low:,}) epochs on both sides; ours from the "
            "start until the last row is committed, and every row is found in the database afterwards",
            tuple(ratio["ratios"]),
            "×",
            "at least",
            each.goal,
        )


def _shortened(full: Definition) -> Definition:
    return replace(full, low=max(1, int(QUICK_SHARE * full.low)), high=max(10, int(QUICK_SHARE * full.high)))


def _print_table(figures: Sequence[Figure]) -> None:
    table = Table(*COLUMNS, title="dpdash, measured side by side")
    for figure in figures:
        color = {None: "dim", True: "green", False: "bold red"}[figure.is_met]
        *cells, met = figure.cells()
        table.add_row(*cells, f"[{color}]{met}[/]")
    # Into a pipe, nothing is cut.
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    console.print(table)


def _print_markdown(report: dict[str, object]) -> None:
    described, figures = report["machine"], report["figures"]
    assert isinstance(described, dict) and isinstance(figures, list)
    lines = [_row(COLUMNS), _row(["---"] * len(COLUMNS)), *(_row(figure["cells"]) for figure in figures)]
    lines += ["", *(f"- {figure['name']}: {figure['counted']}." for figure in figures if figure["bound"])]
    lines += ["", "; ".join(f"{name} {value}" for name, value in described.items())]
    sys.stdout.write("\n".join(lines) + "\n")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
