"""Event loops for tests that play several parts at once."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def in_a_loop_of_its_own(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario to its end; the loop of the tests' own thread may be Playwright's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, scenario).result()
