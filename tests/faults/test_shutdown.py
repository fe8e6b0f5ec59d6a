"""A server that is asked to end while ten runs train: it is gone in five seconds, whatever hangs."""

import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dpdash.core.events import RunStopped, StopReason
from dpdash.store.store import RunStore
from dpdash.web.assets import asset_url
from tests.e2e.server import LEAN, Server
from tests.fakes import eventually
from tests.faults.mounts import MOUNT, needs_mount
from tests.faults.witness import HANGING, HANGS, SEEDS, found, ten_runs

END_SECONDS = 5
NUM_UNREAD = 20
SMALL_DISK = 'mount -t tmpfs -o size=300k tmpfs "$0" && exec "$@"'


def end(server: Server) -> None:
    """Ask the server to end as an operating system does, which then kills it."""
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(END_SECONDS)


@contextmanager
def reader_who_fell_asleep(server: Server) -> Iterator[None]:
    """A browser that has asked for megabytes, and takes none."""
    address = urlsplit(server.url)
    request = (
        f"GET {asset_url('plotly-cartesian.min.js').removeprefix('.')} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
    )
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((address.hostname, address.port))
        client.sendall(request.encode() * NUM_UNREAD)
        assert client.recv(1)
        yield


def test_every_run_is_saved_as_interrupted_even_beside_one_that_hangs(tmp_path: Path) -> None:
    with ten_runs(tmp_path, {**LEAN, HANGS: "1"}) as (server, witness), reader_who_fell_asleep(server):
        end(server)
    after = found(server.database, witness)
    assert after.mistakes == ()
    assert after.oldest_lost_seconds == 0
    store = RunStore(f"sqlite:///{server.database}")
    for record in store.runs():
        history = store.history(record.run_id)
        assert history is not None
        if record.config.seed == HANGING:
            assert history.snapshot().ended is None
            continue
        ended = history.snapshot().ended
        assert isinstance(ended, RunStopped)
        assert ended.reason is StopReason.SHUTDOWN
        assert (record.slope, record.intercept) == (ended.slope, ended.intercept)
    assert store.close()


@pytest.mark.long
def test_a_lock_on_the_database_holds_up_nobody(tmp_path: Path) -> None:
    with ten_runs(tmp_path) as (server, witness):
        known = f"SELECT count(*) FROM runs WHERE num_epochs > 0 HAVING count(*) = {len(SEEDS)}"
        with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
            eventually(lambda: other.execute(known).fetchone())
            other.execute("BEGIN EXCLUSIVE")
            end(server)
    assert found(server.database, witness).mistakes == ()


@pytest.mark.long
@needs_mount
def test_a_full_disk_holds_up_nobody(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    inside = [*MOUNT, "sh", "-c", SMALL_DISK, str(disk)]
    variables = {"DPDASH_DATABASE_URL": f"sqlite:///{disk / 'runs.db'}"}
    with ten_runs(tmp_path, variables, inside) as (server, _):
        eventually(lambda: "is full" in server.log.read_text())
        end(server)
