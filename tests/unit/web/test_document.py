"""The document of every page, whatever address it is opened at."""

import gzip
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from dpdash.core.settings import ServerSettings
from dpdash.web import document
from dpdash.web.assets import ICONS, asset, asset_url
from dpdash.web.document import LATER, SHORTCUTS, PageDocument, later_scripts
from dpdash.web.poster import poster
from dpdash.web.request_guard import SCRIPT_IN_PAGE, SecurityHeaders, security_headers
from tests.asgi import answered

STATIC: Final = Path(st.__file__).parent / "static"
INDEX: Final = STATIC / "index.html"
HOST: Final = "127.0.0.1:8501"


def index(_request: object) -> Response:
    kept = {"Cache-Control": "no-cache", "ETag": "kept", "Last-Modified": "kept"}
    return HTMLResponse(INDEX.read_text(), headers=kept)


def failed(_request: object) -> Response:
    return HTMLResponse("<head></head>", status_code=500)


def text(_request: object) -> Response:
    return PlainTextResponse("<head></head>", headers={"ETag": "kept"})


def app(**settings: Any) -> Any:
    routes = [Route("/failed", failed), Route("/text", text), Route("/{path:path}", index)]
    return SecurityHeaders(PageDocument(Starlette(routes=routes), ServerSettings(**settings)))


def get(path: str = "/", method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    scope: Scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in {"host": HOST, **headers}.items()
        ],
    }
    return answered(app(), scope)


def page(**headers: str) -> str:
    return get(**headers)[2].decode()


def test_what_we_add_leaves_streamlits_document_as_it_is() -> None:
    spoken, first = poster({"type": "http", "path": "/", "query_string": b"", "headers": []}, ServerSettings())
    shown = page()
    assert spoken == "en"
    for ours in (document._script(spoken), document._preloads(), first, f"?icons={asset(ICONS).digest}"):
        assert shown.count(ours) == 1
        shown = shown.replace(ours, "")
    assert shown == INDEX.read_text()


def test_the_answer_says_what_it_is() -> None:
    plain = get()
    status, headers, body = get(accept_encoding="gzip")
    assert status == 200
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == str(len(body))
    assert headers["cache-control"] == "no-cache"
    assert headers["vary"] == "Accept-Encoding, Accept-Language"
    assert gzip.decompress(body) == plain[2]
    assert plain[1]["content-length"] == str(len(plain[2]))
    assert "content-encoding" not in plain[1]


@pytest.mark.parametrize("takes", ["gzip", "identity"])
def test_what_streamlit_has_compressed_is_compressed_once(takes: str) -> None:
    inner = Starlette(routes=[Route("/{path:path}", index)])
    inner.add_middleware(GZipMiddleware)
    accepts = [(b"accept-encoding", takes.encode())]
    scope = {"type": "http", "method": "GET", "path": "/parallelism", "query_string": b"", "headers": accepts}
    _status, headers, body = answered(PageDocument(inner, ServerSettings()), scope)
    assert headers.get("content-encoding") == ("gzip" if takes == "gzip" else None)
    assert int(headers["content-length"]) == len(body)
    text = (gzip.decompress(body) if takes == "gzip" else body).decode()
    assert "page.js" in text and text.rstrip().endswith("</html>")


@pytest.mark.parametrize("encodings", ["gzip", ""])
def test_it_is_never_taken_for_the_file_that_it_was_made_from(encodings: str) -> None:
    _status, headers, _body = get(accept_encoding=encodings)
    assert "etag" not in headers
    assert "last-modified" not in headers


@pytest.mark.parametrize("path", ["/failed", "/text"])
def test_what_is_no_document_passes_as_it_is(path: str) -> None:
    _status, headers, body = get(path, accept_encoding="gzip")
    assert body == b"<head></head>"
    assert "content-encoding" not in headers


def test_only_what_is_fetched_is_changed() -> None:
    assert get(method="HEAD")[1]["content-length"] == str(INDEX.stat().st_size)


def test_it_fits_into_the_first_bytes_that_a_server_sends() -> None:
    # Ten packets go out before the first one is acknowledged (RFC 6928).
    assert len(get(accept_encoding="gzip")[2]) < 10 * 1460


def test_the_policy_allows_what_it_runs() -> None:
    shown = get()[2]
    policy = security_headers({"type": "http", "scheme": "http", "headers": [(b"host", HOST.encode())]})
    directives = dict(part.split(" ", 1) for part in policy["Content-Security-Policy"].split("; "))
    assert "'self'" in directives["script-src"].split()
    # Of scripts inside the document there is none beside Streamlit's own.
    assert SCRIPT_IN_PAGE.findall(shown) == SCRIPT_IN_PAGE.findall(INDEX.read_bytes())
    assert not re.search(rb"<[^>]* on\w+=", shown)


def test_our_script_runs_before_streamlits_and_keeps_nothing_waiting() -> None:
    shown = page()
    ours = shown.index(f'<script defer src="{asset_url("page.js")}"')
    assert ours < shown.index('<script type="module"')
    for chord in SHORTCUTS.values():
        assert chord in shown


def test_everything_that_is_asked_for_early_is_there() -> None:
    shown = page()
    for name in ("live_chart.js", "plotly-cartesian.min.js"):
        assert f'href="{asset_url(name)}"' in shown
    for name in later_scripts():
        assert f'href="./static/js/{name}"' in shown
    # What is needed first comes first.
    assert shown.rindex("./static/js/") < shown.index(asset_url("live_chart.js"))


@pytest.mark.parametrize("stem", LATER)
def test_streamlit_has_each_script_that_is_asked_for_early(stem: str) -> None:
    assert any(name.rsplit(".", 2)[0] == stem for name in later_scripts())


def test_nothing_large_is_asked_for_early_that_a_page_does_not_need() -> None:
    assert len(later_scripts()) <= len(LATER) + 2
    sizes = {name: (STATIC / "static/js" / name).stat().st_size for name in later_scripts()}
    assert max(sizes.values()) < 100_000, sizes


def test_the_style_sheet_has_an_address_of_its_own_for_each_font_of_icons() -> None:
    assert re.search(rf'href="\./static/css/index\.[\w-]+\.css\?icons={asset(ICONS).digest}"', page())


@pytest.mark.parametrize(("asked", "spoken"), [("pt-BR,pt;q=0.9", "pt-BR"), ("de", "en"), ("", "en")])
def test_it_says_which_language_it_is_in(asked: str, spoken: str) -> None:
    assert f'<html lang="{spoken}">' in page(accept_language=asked)


def test_a_document_is_made_once() -> None:
    document.document.cache_clear()
    for _phone in range(40):
        get(accept_encoding="gzip")
    assert document.document.cache_info().misses == 1
    assert document.document.cache_info().maxsize is not None
