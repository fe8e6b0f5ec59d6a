"""Which of the tests that start processes of DDP belong to every run of the tests: a start takes seconds."""

from typing import Final

import pytest

from dpdash.config import EngineName

IN_EVERY_RUN: Final = frozenset(
    {
        "test_losses_are_those_of_single[ddp-mlp]",
        "test_events_tell_a_whole_run[ddp]",
        "test_a_paused_run_goes_exactly_one_epoch_and_on[ddp]",
        "test_an_exception_ends_the_run_with_its_traceback[ddp]",
        "test_contributions_sum_to_the_gradient_of_the_full_batch[ddp-batches]",
        "test_a_rank_that_dies_or_hangs_ends_the_run[killed-1]",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _starts_ranks(item) and item.name not in IN_EVERY_RUN:
            item.add_marker(pytest.mark.long)


def _starts_ranks(item: pytest.Item) -> bool:
    if item.path.name == "test_ddp.py" and item.path.parent.name == "faults":
        return True
    is_contract = item.path.parent.name == "contract" and isinstance(item, pytest.Function)
    # The fixture of every engine's contract; what has no parameters has no call specification.
    return is_contract and getattr(item, "callspec", None) is not None and _engine_of(item) is EngineName.DDP


def _engine_of(item: pytest.Item) -> object:
    assert isinstance(item, pytest.Function)
    return item.callspec.params.get("name")
