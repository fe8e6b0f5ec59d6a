"""A study that a command measures: with a progress bar, and kept where runs are kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dpdash.cli.terminal import ENGLISH_WORDS, complain, signals_received
from dpdash.core.errors import StoreError
from dpdash.core.scaling.study import AnyStudy
from dpdash.findings.scaling.sentence import Sentence
from dpdash.scaling.live import LiveStudy, Snapshot
from dpdash.store.absent import Store, open_store
from dpdash.store.plans import MeasuredTable

OWNER: Final = "command line"
POLL_SECONDS: Final = 0.1

S = TypeVar("S", bound=AnyStudy)


def measured(live: LiveStudy[S], quiet: bool) -> S:
    """Measure with a progress bar; the first Ctrl+C ends the study, which is kept."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("measurements, {task.fields[left]}"))
    with signals_received() as received, Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task("measure", total=None, left="starting")
        live.start()
        while not live.wait(POLL_SECONDS):
            if received:
                live.cancel()
            shown = live.snapshot()
            bar.update(task, total=shown.study.num_wanted, completed=shown.num_measured, left=_left(shown))
    return live.snapshot().study


@contextmanager
def kept(url: str, table: Callable[[Store], MeasuredTable[S, Any]]) -> Iterator[Callable[[S], None]]:
    """Keeps a study in a table of the store, as it comes; where that cannot be done, says so at the end."""
    problems: list[StoreError] = []
    store = open_store(url)

    def keep(study: S) -> None:
        try:
            table(store).put(study)
            problems.clear()
        except StoreError as problem:
            problems[:] = [problem]

    yield keep
    store.close()
    if problems:
        complain(f"This study was not saved. {problems[0]}")


def written(sentence: Sentence) -> str:
    """A sentence in English, with its numbers."""
    return ENGLISH_WORDS.sentence(sentence.template, sentence.values)


def _left(shown: Snapshot[Any]) -> str:
    return "ending" if shown.seconds_left is None else f"about {max(1, round(shown.seconds_left))} s left"
