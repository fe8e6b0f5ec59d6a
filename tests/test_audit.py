"""The audit of what is installed, against a service of our own that speaks as the public one does."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests import audit
from tests.e2e.server import free_port

Answer = Callable[[str], dict[str, Any]]


@contextmanager
def service(answer: Answer, status: int = 200) -> Iterator[str]:
    """The address of a service that gives this answer for each package's name."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer(asked["package"]["name"])).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def knows_nothing_bad(_name: str) -> dict[str, Any]:
    return {}


def knows_one(name: str) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"fixed": "99.1"}]}]
    affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]
    return {"vulns": [{"id": "TEST-1", "affected": affected}]} if name == "starlette" else {}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Audits against the service at this address."""

    def asked(address: str) -> int:
        monkeypatch.setenv("PIP_AUDIT_VULNERABILITY_SERVICE", "osv")
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", address)
        return audit.main()

    return asked


def test_nothing_known_passes(ask: Callable[[str], int], capsys: pytest.CaptureFixture[str]) -> None:
    with service(knows_nothing_bad) as address:
        assert ask(address) == 0
    assert capsys.readouterr().out == ""


def test_a_known_vulnerability_fails_and_says_what_to_do(
    ask: Callable[[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    with service(knows_one) as address:
        assert ask(address) == 1
    said = capsys.readouterr().out
    assert said.startswith("pip-audit: starlette ")
    assert said.endswith(" has TEST-1. Try 99.1.\n")


@pytest.mark.parametrize("status", [None, 403])
def test_a_service_that_cannot_be_asked_is_skipped_by_name(
    status: int | None, ask: Callable[[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    if status is None:
        assert ask(f"http://127.0.0.1:{free_port()}/") == 0
    else:
        with service(knows_nothing_bad, status) as address:
            assert ask(address) == 0
    assert capsys.readouterr().out == "pip-audit: skipped, its service cannot be reached\n"


def test_a_service_that_knows_no_package_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "_audited", lambda *_options: [{"name": "pip-audit", "skip_reason": "not found"}])
    assert audit.main() == 0
    assert capsys.readouterr().out == f"{audit.SKIPPED}\n"


def test_a_tool_that_fails_is_no_pass(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(audit, "COMMAND", (*audit.COMMAND, "--no-such-option"))
    assert audit.main() == 1
    assert "--no-such-option" in capsys.readouterr().out
