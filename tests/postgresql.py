"""A PostgreSQL server of a test's own: on a free port of this machine, in a folder that goes with it."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

from tests.e2e.server import free_port
from tests.fakes import eventually

MISSING: Final = "PostgreSQL is not installed. Try: apt-get install postgresql"
DEBIAN: Final = "/usr/lib/postgresql/*/bin"
USER: Final = "tester"
SERVERS: Final = ("postgres", "nobody")
"""Whose the server is: the first user of these that there is."""
QUICK: Final = ("fsync=off", "max_connections=200")
"""What is written has to survive processes that are killed, and no power cut."""


class Postgresql:
    """A server that can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            someone = pwd.getpwnam(
                next(name for name in SERVERS if name in {user.pw_name for user in pwd.getpwall()})
            )
            self._as_user = {"user": someone.pw_uid, "group": someone.pw_gid, "extra_groups": []}
            os.chown(folder, someone.pw_uid, someone.pw_gid)
        secret = folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        self._run(
            "initdb", "-D", self._data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"
        )

    def start(self) -> None:
        options = [part for setting in QUICK for part in ("-c", setting)]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", self._data, "-p", str(self.port), "-k", str(self._folder), *options],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._as_user,
            )
        eventually(self._answers)

    def stop(self) -> None:
        """End it at once, with whoever is connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    def url(self, database: str, password: str | None = None) -> str:
        return f"postgresql://{USER}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [_program(program), *arguments], check=True, capture_output=True, cwd=self._folder, **self._as_user
        )


@contextmanager
def running_postgresql() -> Iterator[Postgresql]:
    """A server until the end of the block; the test is skipped where PostgreSQL is not installed."""
    if _found("postgres") is None:
        pytest.skip(MISSING)
    # Not in pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="dpdash-postgresql-") as folder:
        server = Postgresql(Path(folder))
        server.start()
        yield server
        server.stop()


def _program(name: str) -> str:
    found = _found(name)
    assert found is not None
    return found


def _found(name: str) -> str | None:
    """Where a program of the server is; Debian keeps those of each version apart."""
    debian = [Path(folder) / name for folder in sorted(glob(DEBIAN), reverse=True)]
    return next((str(path) for path in debian if path.exists()), None) or shutil.which(name)
