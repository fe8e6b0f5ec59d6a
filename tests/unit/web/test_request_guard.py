"""The middleware before every request, as ASGI apps without a server."""

import re
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from dpdash.core.network import is_loopback
from dpdash.web.request_guard import (
    LONGEST_ADDRESS_BYTES,
    RequestGuard,
    SecurityHeaders,
    host_name,
    own_names,
    security_headers,
)
from tests.asgi import answered

HERE, ELSEWHERE = ("127.0.0.1", 50_000), ("192.168.1.7", 50_000)
HOST = "192.168.1.5:8501"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("secret path /home/teacher")


def request(path: str = "/", *, client: Any = ELSEWHERE, method: str = "GET", **more: Any) -> Scope:
    host = more.pop("host", HOST)
    scope: Scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "client": client,
        "headers": [(b"host", host.encode())],
    }
    return {**scope, **more}


def status(scope: Scope, **options: Any) -> int:
    return answered(RequestGuard(hello, **options), scope)[0]


class TestSecurityHeaders:
    def test_every_answer_has_them(self) -> None:
        code, headers, body = answered(SecurityHeaders(hello), request())
        assert (code, body) == (200, b"hello")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert "camera=()" in headers["permissions-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        for rule in ("default-src 'none'", "frame-ancestors 'self'", f"connect-src 'self' ws://{HOST}"):
            assert rule in policy.split("; ")
        assert "unsafe-eval" not in policy
        script = next(rule for rule in policy.split("; ") if rule.startswith("script-src"))
        assert re.fullmatch(r"script-src 'self' blob:( 'sha256-[A-Za-z0-9+/=]{44}')+", script)

    def test_sites_that_were_named_may_frame_a_page(self) -> None:
        site = "https://lab.example.org"
        _code, headers, _body = answered(SecurityHeaders(hello, frame_ancestors=(site,)), request())
        assert f"frame-ancestors 'self' {site}" in headers["content-security-policy"].split("; ")
        assert "x-frame-options" not in headers

    def test_a_refusal_has_them(self) -> None:
        code, headers, _ = answered(SecurityHeaders(RequestGuard(hello)), request(host="evil.example"))
        assert code == 421
        assert "content-security-policy" in headers

    def test_a_failure_tells_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        code, headers, body = answered(SecurityHeaders(failing), request())
        assert code == 500
        assert b"Traceback" not in body
        assert b"/home" not in body
        assert "content-security-policy" in headers
        assert "secret path" in caplog.text  # whoever runs the server learns it

    def test_a_hostile_host_does_not_get_into_the_policy(self) -> None:
        for host in ("a; script-src *", "a, b", "a b", 'a"', "[::1", "a:b"):
            assert security_headers(request(host=host))["Content-Security-Policy"].count("ws") == 0

    def test_the_websocket_is_secure_where_the_page_is(self) -> None:
        policy = security_headers(request(scheme="https"))["Content-Security-Policy"]
        assert f"connect-src 'self' wss://{HOST}" in policy

    @pytest.mark.parametrize(
        ("host", "scheme", "sent"),
        [(HOST, "http", False), (HOST, "https", True), ("localhost:8501", "http", True)],
    )
    def test_an_opener_is_cut_off_where_browsers_take_it(self, host: str, scheme: str, sent: bool) -> None:
        assert ("Cross-Origin-Opener-Policy" in security_headers(request(host=host, scheme=scheme))) is sent


class TestRequestGuard:
    @pytest.mark.parametrize(
        "host", [HOST, "192.168.1.5", "localhost", "LOCALHOST:1", "[::1]:8501", "[fe80::1]", *own_names()]
    )
    def test_addresses_and_own_names_are_known(self, host: str) -> None:
        assert status(request(host=host)) == 200

    @pytest.mark.parametrize("host", ["evil.example", "", "192.168.1.5.evil.example", "a b", "x:99999", "é"])
    def test_other_names_are_not(self, host: str) -> None:
        assert status({**request(), "headers": [(b"host", host.encode("latin-1"))]}) == 421

    def test_a_name_can_be_allowed(self) -> None:
        guarded = request(host="Lab.Example.:8501")
        assert status(guarded) == 421
        assert status(guarded, allowed_hosts=("lab.example",)) == 200

    def test_a_long_address_passes_and_a_longer_one_does_not(self) -> None:
        parameters = "&".join(f"parameter_{number}={number}" for number in range(1_500)).encode()
        assert status(request(query_string=parameters)) == 200
        assert status(request(query_string=b"x" * LONGEST_ADDRESS_BYTES)) == 414
        assert status(request(raw_path=b"/" + b"x" * LONGEST_ADDRESS_BYTES)) == 414

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
    def test_nothing_is_taken_in(self, method: str) -> None:
        code, headers, _ = answered(RequestGuard(hello), request(method=method))
        assert code == 405
        assert headers["allow"] == "GET, HEAD, OPTIONS"

    @pytest.mark.parametrize(
        "path",
        [
            "/_stcore/script-health-check",
            "/_stcore/agent/openapi.json",
            "/_stcore/upload_file/a/b",
            "/_stcore/of_the_next_version",
            "/_stcore/",
            "/page/_stcore/metrics",
            "/auth/login",
            "/oauth2callback",
            "/component/name/index.html",
        ],
    )
    def test_what_no_page_asks_for_is_closed(self, path: str) -> None:
        assert status(request(path)) == 404

    @pytest.mark.parametrize(
        "path", ["/", "/room", "/media/abc.csv", "/static/js/a.js", "/_stcore/health", "/_stcore/host-config"]
    )
    def test_what_a_page_asks_for_is_open(self, path: str) -> None:
        assert status(request(path)) == 200

    @pytest.mark.parametrize(
        ("client", "code"),
        [(HERE, 200), (("::1", 1), 200), (("::ffff:127.0.0.1", 1), 200), (ELSEWHERE, 404), (None, 404)],
    )
    def test_the_measurements_are_for_this_machine_only(self, client: Any, code: int) -> None:
        assert status(request("/_stcore/metrics", client=client)) == code

    def test_what_was_sent_is_not_repeated(self) -> None:
        _, _, body = answered(RequestGuard(hello), request(host="evil.example", path="/<script>"))
        assert b"evil" not in body
        assert b"<" not in body


def test_host_names() -> None:
    assert host_name("[::1]:80") == "::1"
    assert host_name("Lab.local.") == "lab.local"
    assert [host for host in ("", "a/b", "a@b", "a?b", "a:", "a:x", "[a]", "a\n") if host_name(host)] == []
    assert is_loopback("127.8.9.1")
    assert not is_loopback("10.0.0.1")
