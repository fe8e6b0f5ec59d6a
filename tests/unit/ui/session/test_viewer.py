"""Whose runs a browser sees."""

from types import SimpleNamespace

import pytest

from dpdash.ui.session import viewer as machine_owner
from dpdash.ui.session.viewer import asks_from_here, serves_only_here, viewer


def opened(monkeypatch: pytest.MonkeyPatch, host: str | None, ip: str | None, address: str | None) -> None:
    """A page under this name, from this address (None: this machine's), on a server that listens there."""
    headers = {} if host is None else {"Host": host}
    fake = SimpleNamespace(
        context=SimpleNamespace(headers=headers, ip_address=ip),
        get_option=lambda name: {"server.address": address}[name],
    )
    monkeypatch.setattr(machine_owner, "st", fake)
    monkeypatch.setattr(machine_owner, "owner", lambda: "ann")
    monkeypatch.setattr(machine_owner, "is_teacher", lambda browser: False)


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501", "localhost"])
def test_who_sits_at_the_machine_sees_all(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch, host, None, "127.0.0.1")
    assert viewer().sees_all and viewer().owner == "ann"


@pytest.mark.parametrize(
    ("host", "ip", "address"),
    [
        ("127.0.0.1:8501", None, "0.0.0.0"),  # others can reach it
        ("127.0.0.1:8501", None, None),
        ("127.0.0.1:8501", "192.168.1.7", "127.0.0.1"),
        ("lab.example", None, "127.0.0.1"),  # behind a proxy
        ("192.168.1.5:8501", None, "127.0.0.1"),
        ("", None, "127.0.0.1"),
        (None, None, "127.0.0.1"),
        ("user@127.0.0.1", None, "127.0.0.1"),
    ],
)
def test_others_see_their_own(
    host: str | None, ip: str | None, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(monkeypatch, host, ip, address)
    assert not viewer().sees_all
    assert not (asks_from_here() and serves_only_here())


def test_the_teacher_sees_all(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch, "lab.example", "192.168.1.7", "0.0.0.0")
    monkeypatch.setattr(machine_owner, "is_teacher", lambda browser: browser == "ann")
    assert viewer().sees_all
