from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing import AuthenticationError
from pathlib import Path

import pytest

from dpdash.training.ddp.channel import Beat, Door, Hello, knock

SECONDS = 30


def test_who_knows_the_key_is_let_in_and_heard(tmp_path: Path) -> None:
    with closing(Door(tmp_path, b"key")) as door, ThreadPoolExecutor() as pool:
        knocking = pool.submit(knock, tmp_path, b"key")
        connection = door.next(SECONDS)
        assert connection is not None
        with knocking.result(SECONDS) as rank, connection:
            rank.send(Hello(1, 2))
            rank.send(Beat())
            assert (connection.recv(), connection.recv()) == (Hello(1, 2), Beat())


def test_who_does_not_know_the_key_is_not_let_in(tmp_path: Path) -> None:
    with closing(Door(tmp_path, b"key")) as door, ThreadPoolExecutor() as pool:
        knocking = pool.submit(knock, tmp_path, b"guess")
        assert door.next(SECONDS) is None
        with pytest.raises((AuthenticationError, EOFError, OSError)):
            knocking.result(SECONDS)


def test_nobody_knocks(tmp_path: Path) -> None:
    with closing(Door(tmp_path, b"key")) as door:
        assert door.next(0.01) is None
