"""What all tests share: a PostgreSQL server, an order, and which tests of DDP every run has: they start slowly."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from dpdash.core.config import EngineName
from tests.postgresql import Postgresql, running_postgresql

IN_EVERY_RUN: Final = frozenset(
    {
        "test_losses_are_those_of_single[ddp-mlp]",
        "test_a_paused_run_goes_exactly_one_epoch_and_on[ddp]",
        "test_an_exception_ends_the_run_with_its_traceback[ddp]",
        "test_contributions_sum_to_the_gradient_of_the_full_batch[ddp-batches]",
        "test_a_rank_that_dies_or_hangs_ends_the_run[killed-1]",
    }
)
LONGEST_FIRST: Final = ("e2e", "faults", "contract", "hostile", "app")
"""Folders of tests that take seconds: short ones at the end let both processes of `make test` end together."""
TESTS: Final = Path(__file__).parent


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One server for all tests that do not end it."""
    with running_postgresql() as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _starts_ranks(item) and item.name not in IN_EVERY_RUN:
            item.add_marker(pytest.mark.long)
    items.sort(key=_when)


def _when(item: pytest.Item) -> int:
    folder = item.path.relative_to(TESTS).parts[0]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


def _starts_ranks(item: pytest.Item) -> bool:
    folder, file = item.path.parts[-2:]
    if folder == "contract":
        parameters = getattr(
            getattr(item, "callspec", None), "params", {}
        )  # a test without any has no call specification
        return parameters.get("name") is EngineName.DDP
    return (folder, file) == ("faults", "test_ddp.py")
