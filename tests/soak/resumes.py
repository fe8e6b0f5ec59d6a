"""Kills a server amid runs whose learning rates are moved, at twenty random moments, and lets them go on."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from tests.bench.figure import Figure
from tests.faults.resuming import CONFIGS, Resumed, kill_and_resume

NUM_KILLS: Final = 20


def wear(folder: Path, num_kills: int = NUM_KILLS) -> tuple[Figure, ...]:
    """Kill so often, each time with a database of its own."""
    resumed = [_resumed(folder / str(number)) for number in track(range(num_kills), "resumes")]
    mistakes = [mistake for each in resumed for mistake in each.mistakes]
    Console(stderr=True).print(*mistakes, sep="\n")
    again = tuple(float(epochs) for each in resumed for epochs in each.epochs_again)
    all_runs = f"{len(CONFIGS)} runs of each of {num_kills} killed servers"
    return (
        Figure(
            "differences from runs never interrupted",
            f"every epoch of {all_runs}",
            (len(mistakes),),
            "",
            "at most",
            0,
        ),
        Figure("epochs trained again", f"of {all_runs}", again),
        Figure("learning rates moved", f"in all {all_runs}", (sum(each.num_moves for each in resumed),)),
        Figure("killed before the first checkpoint", f"of {all_runs}", (sum(each.num_anew for each in resumed),)),
    )


def _resumed(folder: Path) -> Resumed:
    folder.mkdir(parents=True)
    return kill_and_resume(folder)
