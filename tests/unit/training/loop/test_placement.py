"""What all ways to train share knows none of them: what differs between them, a placement answers."""

import importlib
import inspect
import re
from typing import Final

import pytest

from dpdash.core.config import EngineName
from dpdash.training import checkpoint
from dpdash.training.loop import epoch_loop, placement, setup
from dpdash.training.loop import run as loop

SHARED: Final = [module.__name__ for module in (checkpoint, epoch_loop, loop, placement, setup)]
DISTRIBUTED: Final = re.compile(r"^\s*(?:from|import) torch\.(?:distributed|nn\.parallel)\b", re.MULTILINE)
NAMES: Final = "|".join(name.replace("_", "[_ ]?") for name in EngineName)


def source(name: str) -> str:
    return inspect.getsource(importlib.import_module(name))


def reached(name: str, so_far: set[str]) -> set[str]:
    """The modules of the package that a module imports, and what they import."""
    so_far.add(name)
    for imported in re.findall(r"^from (dpdash[\w.]*) import", source(name), re.MULTILINE):
        if imported not in so_far:
            reached(imported, so_far)
    return so_far


@pytest.mark.parametrize("name", SHARED)
def test_no_engine_is_named(name: str) -> None:
    assert not re.findall(rf"\b(?:{NAMES}|ranks?)\b", source(name), re.IGNORECASE)


@pytest.mark.parametrize("name", SHARED)
def test_nothing_distributed_is_imported_on_the_way(name: str) -> None:
    assert not [module for module in reached(name, set()) if DISTRIBUTED.search(source(module))]
