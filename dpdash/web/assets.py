"""Scripts and styles as they are served: compressed once, and kept by the browser for good."""

import asyncio
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import streamlit as st
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dpdash.web.addresses import in_page, path_of, route
from dpdash.web.streamlit_internals.own_texts import asking

ONE_YEAR: Final = 365 * 24 * 3600
ASSET_PATH: Final = "/dpdash/static"
ASSET_FOLDER: Final = Path(__file__).parent / "static"
KEPT: Final = {
    "Cache-Control": f"public, max-age={ONE_YEAR}, immutable",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}
MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}
ICONS: Final = "icons.woff2"
"""Of Streamlit's font of icons (370 kB) those that pages use."""
ASSET_NAMES: Final = ("page.js", "live_chart.js", "import_form.js", "plotly-cartesian.min.js", ICONS)
ICON_FONT: Final = re.compile(rb"\.\./media/MaterialSymbols-Rounded\.[\w-]+\.woff2")


@dataclass(frozen=True, slots=True)
class Asset:
    """A script or a font as it is served, compressed once."""

    digest: str
    content: bytes
    compressed: bytes


@cache
def asset(name: str) -> Asset:
    """One of `ASSET_NAMES`, read and compressed at the first call."""
    assert name in ASSET_NAMES
    content = (ASSET_FOLDER / name).read_bytes()
    return Asset(hashlib.sha256(content).hexdigest()[:16], content, gzip.compress(content))


def asset_url(name: str) -> str:
    """The address that a page has for an asset; it changes with the content, so browsers may keep it for good."""
    return in_page(f"{ASSET_PATH}/{asset(name).digest}/{name}")


async def _serve_asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSET_NAMES or request.path_params["digest"] != asset(name).digest:
        raise HTTPException(status_code=404)
    headers = dict(KEPT)
    content = asset(name).content
    if takes_gzip(request.headers.get("accept-encoding", "")):
        content = asset(name).compressed
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=MEDIA_TYPES[Path(name).suffix])


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a browser that says so understands gzip."""
    for part in accept_encoding.lower().split(","):
        coding, _, quality = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def asset_routes() -> tuple[Route, ...]:
    """Where the assets are served."""
    return (Route(route(f"{ASSET_PATH}/{{digest}}/{{name}}"), _serve_asset, methods=["GET"]),)


class StreamlitsAssets:
    """Streamlit's own scripts and styles, whose names change with their content: compressed at the first call."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        folder = Path(st.__file__).parent / "static"
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": path
            for path in (folder / "static").rglob("*")
            if path.suffix in (".js", ".css")
        }
        self._compressed: dict[str, asyncio.Task[bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_asked = scope["type"] == "http" and scope["method"] == "GET" and path_of(scope) in self._files
        if not is_asked or not takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
            await self.app(scope, receive, send)
            return
        path = path_of(scope)
        if path not in self._compressed:
            # One for all who ask meanwhile: forty phones open the page at the same time.
            self._compressed[path] = asyncio.create_task(asyncio.to_thread(_compressed, self._files[path]))
        content = await asyncio.shield(self._compressed[path])
        headers = KEPT | {"Content-Encoding": "gzip"}
        media_type = MEDIA_TYPES[self._files[path].suffix]
        await Response(content, headers=headers, media_type=media_type)(scope, receive, send)


def _compressed(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix == ".css":
        # Relative to the style sheet, as the address that it replaces.
        content = ICON_FONT.sub(f"../../{asset_url(ICONS)}".encode(), content)
    else:
        content = asking(file.name, content)
    return gzip.compress(content)
