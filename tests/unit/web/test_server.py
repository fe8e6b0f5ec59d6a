import runpy
import socket
import tomllib
import webbrowser
from collections.abc import Mapping
from contextlib import closing
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Scope
from streamlit import config as streamlit_config

from dpdash.core.settings import ServerSettings
from dpdash.web.server import middleware, open_browser, routes, send_at_once
from dpdash.web.tickets import OWNER_COOKIE
from tests.asgi import answered

ROOT = Path(__file__).parents[3]
HOST = "127.0.0.1:8501"
NAME = "aZ09-_" * 5 + "xy"


def page(_request: object) -> Response:
    return HTMLResponse("<p>page</p>")


def text(_request: object) -> Response:
    return PlainTextResponse("text")


def unchanged(_request: object) -> Response:
    return Response(status_code=304)


APP = Starlette(
    routes=[*routes(), Route("/", page), Route("/text", text), Route("/unchanged", unchanged)],
    middleware=list(middleware(ServerSettings())),
)


def get(path: str, scheme: str = "http", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """One request, without a server: status, headers and body."""
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "scheme": scheme,
        "path": path,
        "query_string": b"",
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in {"host": HOST, **headers}.items()
        ],
    }
    return answered(APP, scope)


@pytest.mark.parametrize(("headless", "opened"), [(False, ["http://127.0.0.1:8501/lab"]), (True, [])])
def test_the_dashboard_is_shown_to_whoever_sits_in_front_of_it(
    headless: bool, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    options = {"server.headless": headless, "server.port": 8501, "server.baseUrlPath": "lab"}
    monkeypatch.setattr(st, "get_option", lambda name: options.get(name))
    monkeypatch.setattr(webbrowser, "open", seen.append)
    open_browser()
    assert seen == opened


def test_a_browser_gets_its_own_name_with_its_first_page() -> None:
    cookies = [SimpleCookie(get("/")[1]["set-cookie"])[OWNER_COOKIE] for _ in range(2)]
    assert cookies[0].value != cookies[1].value
    assert len(cookies[0].value) >= 32
    assert cookies[0]["httponly"]
    assert cookies[0]["samesite"] == "Lax"
    assert cookies[0]["path"] == "/"
    assert not cookies[0]["secure"]


def test_the_cookie_is_secure_where_the_page_is() -> None:
    assert SimpleCookie(get("/", scheme="https")[1]["set-cookie"])[OWNER_COOKIE]["secure"]


def test_in_a_frame_of_another_site_the_cookie_is_that_sites() -> None:
    named = ServerSettings(frame_ancestors="https://lab.example.org")
    framed = Starlette(routes=[Route("/", page)], middleware=list(middleware(named)))
    scope: Scope = {"type": "http", "method": "GET", "scheme": "http", "path": "/", "query_string": b""}
    cookie = answered(framed, {**scope, "headers": [(b"host", HOST.encode())]})[1]["set-cookie"]
    assert cookie.endswith("HttpOnly; SameSite=None; Secure; Partitioned")


def test_a_browser_with_a_name_keeps_it() -> None:
    assert "set-cookie" not in get("/", cookie=f"a=b; {OWNER_COOKIE}={NAME}")[1]


@pytest.mark.parametrize("value", ["", "known", NAME[:-1], NAME + "x", NAME[:-1] + "é", NAME[:-1] + "."])
def test_a_name_that_was_not_made_here_is_replaced(value: str) -> None:
    given = SimpleCookie(get("/", cookie=f"{OWNER_COOKIE}={value}")[1]["set-cookie"])[OWNER_COOKIE].value
    assert len(given) == len(NAME)
    assert given != value


def test_a_page_from_the_browsers_cache_brings_the_cookie_too() -> None:
    assert "set-cookie" in get("/unchanged", accept="text/html,*/*")[1]


@pytest.mark.parametrize("path", ["/text", "/unchanged"])
def test_what_is_no_page_brings_no_cookie(path: str) -> None:
    assert "set-cookie" not in get(path, accept="*/*")[1]


def test_streamlit_takes_the_routes() -> None:
    st.App(ROOT / "app.py", routes=routes(), middleware=middleware(ServerSettings()))


def test_a_bad_setting_is_a_sentence_and_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPDASH_MAX_PAGES", "0")
    with pytest.raises(SystemExit, match=r"^DPDASH_MAX_PAGES: Input should be greater than 0\. Received: 0\."):
        runpy.run_path(str(ROOT / "app.py"))


def test_every_answer_passes_the_guards() -> None:
    assert "content-security-policy" in get("/")[1]
    assert get("/", host="evil.example")[0] == 421
    assert get("/_stcore/agent/openapi.json")[0] == 404


def options() -> dict[str, object]:
    sections = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    return {
        f"{section}.{name}": value
        for section, values in sections.items()
        if section != "theme"
        for name, value in values.items()
    }


@pytest.mark.parametrize("name", options())
def test_streamlit_knows_every_option(name: str) -> None:
    assert name in streamlit_config._config_options_template


def luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(color: str, other: str) -> float:
    low, high = sorted((luminance(color), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("base", ["light", "dark"])
def test_colours_can_be_told_from_their_background(base: str) -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][base]
    for background in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        for name in ("textColor", "linkColor", "primaryColor"):
            assert contrast(theme[name], background) >= 4.5, name
    assert len(set(theme["chartCategoricalColors"])) == 8
    for color in theme["chartCategoricalColors"]:
        assert contrast(color, theme["backgroundColor"]) >= 3, color


def test_connections_to_the_listening_socket_send_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        send_at_once()
        with socket.create_connection(listening.getsockname()), closing(listening.accept()[0]) as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
