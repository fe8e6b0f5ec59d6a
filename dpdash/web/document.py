"""The HTML document that every page of the dashboard begins with: Streamlit's own, and what we add to it."""

import gzip
import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import Final

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dpdash.core.settings import ServerSettings
from dpdash.web.assets import ICONS, asset, asset_url, takes_gzip
from dpdash.web.poster import poster
from dpdash.web.streamlit_internals.own_texts import words

SHORTCUTS: Final[Mapping[str, str]] = {
    "transport_start": "Ctrl+Enter",
    "transport_resume": "Ctrl+Shift+Enter",
    "transport_pause": "Ctrl+Space",
    "transport_step": "Ctrl+Right",
    "transport_stop": "Ctrl+Shift+X",
    "transport_reset": "Ctrl+Backspace",
    "present": "Ctrl+Shift+F",
    "present_leave": "Escape",
}
"""The chord of each button that has one, by the key of the button or of the one box around it."""
LATER: Final = (
    "Html",
    "purify.es",
    "Slider",
    "useFormReset",
    "WidgetLabel",
    "styled-components",
    "WidgetLabelHelpIcon",
    "useBasicWidgetState",
    "moment",
    "formatNumber",
    "numbro",
    "sprintfjs",
    "withCalculatedWidth",
    "formatMoment",
    "NumberInput",
    "Input",
    "TextField",
    "Autocomplete",
    "useFormValidation",
    "useTextField",
    "useField",
    "ErrorOutline.esm",
    "Cancel.esm",
    "InputInstructions",
    "requiredField",
    "Selectbox",
    "useMenuTrigger",
    "useLoadMoreSentinel",
    "useCollator",
    "useSyncComboBoxEnterTargetFocus",
    "sortBy",
    "_baseMap",
    "useFilter",
    "ButtonGroup",
    "WidgetLabelHelpIconInline",
    "Button",
    "BidiComponent",
    "_arrayReduce",
    "serialization",
    "recordbatch",
    "Progress",
    "ProgressBar",
    "Metric",
    "printWidthCap",
    "CustomTheme",
    "loadVegaEmbed",
    "PageLink",
)
"""Streamlit's scripts that the Train page asks for once the others have run, by their names before the digest."""
FIRST: Final = "<head>"
HEAD: Final = "</head>"
ROOT: Final = '<div id="root"></div>'
LANGUAGE: Final = '<html lang="en">'
STYLES: Final = re.compile(r"\./static/css/index\.[\w-]+\.css")
NUM_KEPT: Final = 64
"""Documents with different posters: each is some kilobytes."""


class PageDocument:
    """Adds to Streamlit's document what a page needs before Streamlit has started in the browser."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self.app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def send_whole(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_document(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await _send_document(scope, start, body, poster(scope, self._settings), send)

        await self.app(scope, receive, send_whole)


async def _send_document(scope: Scope, start: Message, body: bytes, shown: tuple[str, str], send: Send) -> None:
    headers = MutableHeaders(scope=start)
    if headers.get("content-encoding") == "gzip":
        # As Streamlit sends it at every address but the first page's.
        body = gzip.decompress(body)
        del headers["content-encoding"]
    plain, compressed = document(body, *shown)
    # They are of the file that it was made from.
    for name in ("etag", "last-modified"):
        del headers[name]
    headers["vary"] = "Accept-Encoding, Accept-Language"
    content = plain
    if takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
        headers["content-encoding"] = "gzip"
        content = compressed
    headers["content-length"] = str(len(content))
    await send(start)
    await send({"type": "http.response.body", "body": content})


@lru_cache(maxsize=NUM_KEPT)
def document(streamlits: bytes, language: str, shown_first: str) -> tuple[bytes, bytes]:
    """The document with what we add, as it is and compressed."""
    text = streamlits.decode()
    for place, ours in (
        (LANGUAGE, f'<html lang="{language}">'),
        # Before Streamlit's own, which are run in the order in which they stand; the figure waits for none.
        (FIRST, FIRST + _script(language)),
        (HEAD, _preloads() + HEAD),
        (ROOT, ROOT + shown_first),
    ):
        text = text.replace(place, ours, 1)
    # Browsers keep it for good, and what `StreamlitsAssets` has changed in it may change again.
    body = STYLES.sub(rf"\g<0>?icons={asset(ICONS).digest}", text).encode()
    return body, gzip.compress(body)


@cache
def _script(language: str) -> str:
    buttons = {chord: f".st-key-{key} button" for key, chord in SHORTCUTS.items()}
    data = {"shortcuts": buttons, "words": words(language)}
    attributes = "".join(
        f' data-{name}="{escape(json.dumps(value, ensure_ascii=False))}"' for name, value in data.items()
    )
    return f'<script defer src="{asset_url("page.js")}"{attributes}></script>'


@cache
def _preloads() -> str:
    """What is fetched while Streamlit's first scripts are run, in the order in which it is needed."""
    links = [
        *(f'<link rel="modulepreload" crossorigin href="./static/js/{name}">' for name in later_scripts()),
        f'<link rel="modulepreload" href="{asset_url("live_chart.js")}">',
        # Not a preload: on a fast network it would be compiled before what the page begins with (0.2 s of 1.7).
        f'<link rel="prefetch" as="script" href="{asset_url("plotly-cartesian.min.js")}">',
    ]
    return "".join(f"  {link}\n  " for link in links)


def later_scripts() -> list[str]:
    """The files of `LATER` as the Streamlit that is installed names them."""
    folder = Path(st.__file__).parent / "static" / "static" / "js"
    return [path.name for stem in LATER for path in sorted(folder.glob(f"{stem}.*.js"))]


def _is_document(message: Message) -> bool:
    """Whether a response is a page, and no file that is taken away."""
    headers = Headers(raw=message["headers"])
    is_page = headers.get("content-type", "").startswith("text/html") and "content-disposition" not in headers
    return bool(message["status"] == 200 and is_page)
