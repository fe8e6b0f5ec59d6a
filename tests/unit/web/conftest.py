from collections.abc import Iterator

import pytest

from dpdash.web.addresses import base_path


@pytest.fixture(autouse=True)
def base_path_asked_anew() -> Iterator[None]:
    """A server has one base path for good, and these tests have several servers."""
    base_path.cache_clear()
    yield
    base_path.cache_clear()
