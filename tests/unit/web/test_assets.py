import asyncio
import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Scope

from dpdash.web import assets
from dpdash.web.assets import (
    ASSET_FOLDER,
    ASSET_NAMES,
    ICONS,
    MEDIA_TYPES,
    StreamlitsAssets,
    asset_routes,
    asset_url,
    takes_gzip,
)
from dpdash.web.streamlit_internals.own_texts import asking
from tests.asgi import answered
from tests.loops import in_a_loop_of_its_own

BUNDLE = "plotly-cartesian.min.js"
ROOT = Path(__file__).parents[3]
STATIC = Path(st.__file__).parent / "static"
SCRIPT = next((STATIC / "static/js").glob("index.*.js"))
STYLE = next((STATIC / "static/css").glob("index.*.css"))
FONT = next((STATIC / "static/media").glob("MaterialSymbols-Rounded.*.woff2"))


def path_of(file: Path) -> str:
    return f"/{file.relative_to(STATIC).as_posix()}"


def streamlits(_request: object) -> Response:
    return PlainTextResponse("as Streamlit serves it")


def app() -> Any:
    return StreamlitsAssets(
        Starlette(routes=[*asset_routes(), Route("/{path:path}", streamlits, methods=["GET", "POST"])])
    )


def scope_of(path: str, method: str = "GET", **headers: str) -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path.removeprefix("."),
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


def get(path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    return answered(app(), scope_of(path, **headers))


@pytest.mark.parametrize("name", ASSET_NAMES)
def test_an_asset_is_served_compressed_and_for_good(name: str) -> None:
    status, headers, body = get(asset_url(name), accept_encoding="br;q=1.0, gzip")
    assert status == 200
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "Accept-Encoding"
    assert "immutable" in headers["cache-control"]
    assert headers["content-length"] == str(len(body))
    assert headers["content-type"].startswith(MEDIA_TYPES[Path(name).suffix])
    assert gzip.decompress(body) == (ASSET_FOLDER / name).read_bytes()


@pytest.mark.parametrize("encodings", ["", "br", "gzip;q=0"])
def test_a_client_without_gzip_gets_the_script_as_it_is(encodings: str) -> None:
    _status, headers, body = get(asset_url(BUNDLE), accept_encoding=encodings)
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"
    assert body == (ASSET_FOLDER / BUNDLE).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/dpdash/static/0000000000000000/live_chart.js",
        "/dpdash/static/0000000000000000/README.md",
        "/dpdash/static/x/../../server.py",
        "/dpdash/static/x/..%2Fserver.py",
        "/dpdash/static/",
    ],
)
def test_nothing_else_of_ours_is_served(path: str) -> None:
    assert answered(Starlette(routes=list(asset_routes())), scope_of(path))[0] == 404


@pytest.mark.parametrize("file", [SCRIPT, STYLE])
def test_streamlits_files_are_served_compressed_and_for_good(file: Path) -> None:
    status, headers, body = get(path_of(file), accept_encoding="gzip, deflate")
    assert status == 200
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "Accept-Encoding"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-length"] == str(len(body))
    assert headers["content-type"].startswith(MEDIA_TYPES[file.suffix])
    assert "etag" not in headers and "last-modified" not in headers
    # A name without a digest in it may one day be another file: none may be kept for good.
    assert re.search(r"\.[\w-]{8}\.(js|css)$", file.name)


def test_a_script_asks_for_its_texts_and_is_not_changed_otherwise() -> None:
    sent = gzip.decompress(get(path_of(SCRIPT), accept_encoding="gzip")[2])
    assert sent == asking(SCRIPT.name, SCRIPT.read_bytes()) != SCRIPT.read_bytes()
    plain = next(file for file in SCRIPT.parent.glob("rolldown-runtime.*.js"))
    assert gzip.decompress(get(path_of(plain), accept_encoding="gzip")[2]) == plain.read_bytes()


def test_every_script_of_streamlit_has_its_digest_in_its_name() -> None:
    for file in (STATIC / "static").rglob("*"):
        if file.suffix in (".js", ".css"):
            assert re.search(r"\.[\w-]{8}\.(js|css)$", file.name), file


def test_icons_come_from_our_small_font() -> None:
    style = gzip.decompress(get(path_of(STYLE), accept_encoding="gzip")[2]).decode()
    assert FONT.name not in style
    assert f"url(../../{asset_url(ICONS)})" in style
    assert style.replace(f"../../{asset_url(ICONS)}", f"../media/{FONT.name}") == STYLE.read_text()


def test_the_small_font_has_every_icon() -> None:
    digest, names = (ASSET_FOLDER / "icons.txt").read_text().split("\n", 1)
    assert digest == f"{hashlib.sha256(FONT.read_bytes()).hexdigest()}", "make icons"
    icons = re.compile(r":material/([a-z0-9_]+)\b")
    ours = [*(ROOT / "dpdash").rglob("*.py"), *(ROOT / "pages").glob("*.py"), *(STATIC / "static/js").glob("*.js")]
    wanted = {icon for file in ours for icon in icons.findall(file.read_text())}
    # Of the latter, Streamlit's own font knows nothing either.
    assert wanted - set(names.split()) <= {"star_filled"}, "make icons"


@pytest.mark.parametrize(
    "path",
    [
        "/static/js/nothing.js",
        "/static/js/../../index.html",
        "/static/js/..%2F..%2Findex.html",
        "/static/js/",
        "/static/js",
        "/",
        path_of(FONT),
        f"{path_of(SCRIPT)}/",
        f"//{path_of(SCRIPT)}",
    ],
)
def test_what_is_not_there_is_left_to_streamlit(path: str) -> None:
    _status, headers, body = get(path, accept_encoding="gzip")
    assert body == b"as Streamlit serves it"
    assert "content-encoding" not in headers


@pytest.mark.parametrize("encodings", ["", "br", "identity", "gzip;q=0", "*;q=0"])
def test_who_takes_no_gzip_is_left_to_streamlit(encodings: str) -> None:
    assert get(path_of(SCRIPT), accept_encoding=encodings)[2] == b"as Streamlit serves it"


def test_only_what_is_fetched_is_answered() -> None:
    assert (
        answered(app(), scope_of(path_of(SCRIPT), "POST", accept_encoding="gzip"))[2] == b"as Streamlit serves it"
    )


@pytest.mark.parametrize(
    ("encodings", "takes"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip ; q = 0", False),
        ("gzip;q=0.000", False),
        ("x-gzip", False),
        ("", False),
        (";,;", False),
    ],
)
def test_who_takes_gzip(encodings: str, takes: bool) -> None:
    assert takes_gzip(encodings) is takes


def test_forty_who_ask_at_once_have_a_file_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compressed: list[bytes] = []

    def compress(content: bytes) -> bytes:
        compressed.append(content)
        return gzip.compress(content)

    monkeypatch.setattr(assets, "gzip", SimpleNamespace(compress=compress))
    serving = app()
    bodies: list[bytes] = []

    async def ask() -> None:
        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                bodies.append(message["body"])

        await serving(scope_of(path_of(SCRIPT), accept_encoding="gzip"), receive, send)

    async def crowd() -> None:
        await asyncio.gather(*(ask() for _phone in range(40)))

    in_a_loop_of_its_own(crowd())
    assert compressed == [asking(SCRIPT.name, SCRIPT.read_bytes())]
    assert len(bodies) == 40
    assert len(set(bodies)) == 1


def test_who_leaves_does_not_take_the_file_from_the_others() -> None:
    serving = app()

    async def ask(sent: list[Message]) -> None:
        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        await serving(scope_of(path_of(SCRIPT), accept_encoding="gzip"), receive, send)

    async def leave_and_ask() -> list[Message]:
        impatient = asyncio.create_task(ask([]))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        sent: list[Message] = []
        await ask(sent)
        return sent

    start, body = in_a_loop_of_its_own(leave_and_ask())
    assert start["status"] == 200
    assert gzip.decompress(body["body"]) == asking(SCRIPT.name, SCRIPT.read_bytes())


def test_the_vendored_bundle_is_the_published_one() -> None:
    digest, name = (ASSET_FOLDER / "plotly-cartesian.sha256").read_text().split()
    assert name == BUNDLE
    assert hashlib.sha256((ASSET_FOLDER / BUNDLE).read_bytes()).hexdigest() == digest
    assert b"(cartesian - minified) v4.1.1" in (ASSET_FOLDER / BUNDLE).read_bytes()[:200]
    assert "MIT" in (ASSET_FOLDER / "plotly-LICENSE").read_text()
