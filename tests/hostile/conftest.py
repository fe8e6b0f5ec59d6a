"""The real server, as somebody on its network finds it who means no good."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.e2e.server import LEAN, Server, running_server

MAX_SAMPLES: Final = 10_000
MAX_EPOCHS: Final = 5_000
LIMITS: Final = {"DPDASH_MAX_SAMPLES": str(MAX_SAMPLES), "DPDASH_MAX_EPOCHS": str(MAX_EPOCHS)}


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), {**LEAN, **LIMITS}) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_traceback(server: Server) -> Iterator[None]:
    """Nothing that a test does may bring a traceback into the server's log, or end the server."""
    before = server.log.stat().st_size
    yield
    assert server.process.poll() is None
    with server.log.open("rb") as log:
        log.seek(before)
        said = log.read().decode()
    assert "Traceback" not in said, said[-5_000:]
