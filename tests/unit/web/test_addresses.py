"""Addresses of a server that stands below a path of its own; `tests/e2e/test_proxy.py` opens its pages."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Scope
from streamlit import config as streamlit_config

from dpdash.core.config import RunConfig
from dpdash.core.settings import ServerSettings
from dpdash.files.formats import FormatName
from dpdash.ui.session import links
from dpdash.web.addresses import own_url, path_of
from dpdash.web.assets import asset_url
from dpdash.web.server import middleware, routes
from dpdash.web.transfers import IMPORT_PATH, export_address, import_address
from tests.asgi import answered


@pytest.fixture(params=["lab", "/lab/"])
def lab(request: pytest.FixtureRequest) -> Iterator[None]:
    before = streamlit_config.get_option("server.baseUrlPath")
    streamlit_config.set_option("server.baseUrlPath", request.param)
    yield
    streamlit_config.set_option("server.baseUrlPath", before)


def page(_request: object) -> Response:
    return HTMLResponse('<html lang="en"><head></head><div id="root"></div></html>')


def asked(path: str, method: str = "GET") -> tuple[int, Mapping[str, str], bytes]:
    app = Starlette(
        routes=[*routes(), Mount("/lab", routes=[Route("/{path:path}", page)])],
        middleware=list(middleware(ServerSettings())),
    )
    scope: Scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"samples=20&engine=single&replicas=1",
        "headers": [(b"host", b"127.0.0.1:8501")],
    }
    return answered(app, scope)


def test_a_page_has_no_address_that_begins_at_the_root() -> None:
    """A proxy that strips its path tells nobody."""
    for address in (
        asset_url("page.js"),
        export_address(FormatName.CSV, ["one"], "me", "en"),
        import_address("me", "en"),
    ):
        assert address.startswith("./dpdash/")
    assert b'="/' not in asked("/")[2]


@pytest.mark.usefixtures("lab")
def test_what_is_ours_stands_below_the_base() -> None:
    ours = asset_url("page.js").removeprefix(".")
    assert asked(f"/lab{ours}")[0] == 200
    assert asked(ours)[0] == 404
    # Taken, and refused for want of a ticket.
    assert asked(f"/lab{IMPORT_PATH}", "POST")[0] == 403
    assert asked(IMPORT_PATH, "POST")[0] == 405
    assert asked("/lab/auth/login")[0] == 404
    assert own_url().endswith("/lab")


@pytest.mark.usefixtures("lab")
def test_the_first_page_has_its_poster_there() -> None:
    assert b"<figure" in asked("/lab/")[2]
    assert b"<figure" not in asked("/lab/runs")[2]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("path", "below"), [("/lab/", "/"), ("/lab/runs", "/runs"), ("/lab", ""), ("/labour/x", ""), ("/runs", "")]
)
def test_a_path_is_read_below_the_base(path: str, below: str) -> None:
    assert path_of({"path": path}) == below


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("https://host/lab", "https://host/lab/?run=x"),
        ("https://host/lab/parallelism", "https://host/lab/parallelism?run=x"),
        ("http://host:8501", "http://host:8501/?run=x"),
        ("http://host:8501/parallelism", "http://host:8501/parallelism?run=x"),
    ],
)
def test_a_link_to_share_has_the_slash_of_the_first_page(
    page: str, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "context", SimpleNamespace(url=page))
    assert links.address(RunConfig(), "x") == link
