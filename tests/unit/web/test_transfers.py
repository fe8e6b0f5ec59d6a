"""The two addresses for files of runs: who may use them, how much, and how often."""

import asyncio
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.types import Message, Scope

from dpdash.core.settings import ServerSettings
from dpdash.files import bounds
from dpdash.files.formats import FILES, FormatName
from dpdash.runs.service import RunService
from dpdash.store.store import RunStore
from dpdash.web import transfers
from dpdash.web.process import run_service
from dpdash.web.rate_limit import Allowance
from dpdash.web.server import middleware, routes
from dpdash.web.tickets import OWNER_COOKIE, owner_of
from dpdash.web.transfers import data_address, export_address, import_address, take_brought, take_imported
from dpdash.web.turns import Turns
from tests.loops import in_a_loop_of_its_own
from tests.unit.files.made_up import NUM_EPOCHS, file_of, whole_run
from tests.unit.files.test_imports import trained

APP = Starlette(routes=list(routes()), middleware=list(middleware(ServerSettings())))
COOKIE = "aZ09-_" * 5 + "xy"
OTHER = "bZ09-_" * 5 + "xy"
ME = owner_of(COOKIE)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at it yet."""
    monkeypatch.setattr(transfers, "_exporting", Turns(1, 2))
    monkeypatch.setattr(transfers, "_importing", Turns(1, 2))
    monkeypatch.setattr(transfers, "_imports", transfers._Imports())


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunService]:
    """The service that the routes find, with a run called `one`."""
    store = RunStore(url := f"sqlite:///{tmp_path / 'runs.db'}")
    trained(store, "one")
    store.close()
    monkeypatch.setenv("DPDASH_DATABASE_URL", url)
    st.cache_resource.clear()
    service = run_service()
    yield service
    service.shutdown()
    st.cache_resource.clear()


def asked(
    method: str, address: str, cookie: str | None = COOKIE, body: bytes = b""
) -> tuple[int, Mapping[str, str], bytes]:
    """One request with a browser's cookie: status, headers and body."""
    url = urlsplit(address.removeprefix("."))
    headers = [(b"host", b"127.0.0.1:8501")]
    if cookie is not None:
        headers.append((b"cookie", f"{OWNER_COOKIE}={cookie}".encode()))
    scope: Scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": url.path,
        "query_string": url.query.encode(),
        "headers": headers,
    }
    half = len(body) // 2
    waiting: list[Message] = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    in_a_loop_of_its_own(APP(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])


def test_a_browser_fetches_the_file_that_its_page_offers(service: RunService) -> None:
    status, headers, body = asked("GET", export_address(FormatName.CSV, ["one"], ME, "en"))
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="dpdash-one.csv"'
    assert headers["content-type"].startswith("text/csv")
    assert headers["cache-control"] == "no-store"
    assert len(pd.read_csv(io.BytesIO(body))) == NUM_EPOCHS
    assert transfers._exporting._at_it.total() == 0


@pytest.mark.parametrize("name", [FormatName.PARQUET, FormatName.JSON, FormatName.HTML])
def test_every_file_is_there(service: RunService, name: FormatName) -> None:
    status, headers, body = asked("GET", export_address(name, ["one"], ME, "en"))
    assert status == 200
    assert headers["content-disposition"].endswith(f'.{FILES[name].extension}"')
    assert body


def test_the_address_works_in_no_other_browser_and_for_nothing_else(service: RunService) -> None:
    address = export_address(FormatName.CSV, ["one"], ME, "en")
    for cookie in (OTHER, None, ""):
        status, _headers, body = asked("GET", address, cookie)
        assert status == 403
        assert b"only in the browser whose page made it" in body
    for forged in (
        address.replace("run=one", "run=two"),
        address.replace("run=one", "run=one&run=two"),
        address.replace("/csv", "/json"),
        address.replace("/csv", "/zip"),
        address.replace("language=en", "language=pt_BR"),
        address.split("&ticket")[0],
        address.split("?")[0],
    ):
        assert asked("GET", forged)[0] == 403


def test_a_run_that_is_gone_is_said_in_the_readers_language(service: RunService) -> None:
    status, headers, body = asked("GET", export_address(FormatName.CSV, ["gone"], ME, "pseudo"))
    assert status == 404
    assert body.decode().startswith("⟦There is no run gone here")
    assert headers["content-type"].startswith("text/plain")
    assert transfers._exporting._at_it.total() == 0


def test_one_browser_has_so_many_downloads_at_once(service: RunService) -> None:
    end = transfers._exporting.take(ME)
    status, _headers, body = asked("GET", export_address(FormatName.CSV, ["one"], ME, "en"))
    assert status == 429
    assert b"The server is busy with 1 such files." in body
    end()
    assert asked("GET", export_address(FormatName.CSV, ["one"], ME, "en"))[0] == 200


def test_a_download_that_nobody_takes_makes_room(service: RunService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "STALLED_SECONDS", 0.02)
    address = urlsplit(export_address(FormatName.CSV, ["one"], ME, "en"))

    async def never(_message: Message) -> None:
        await asyncio.Event().wait()

    async def nothing() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": address.path.removeprefix("."),
        "query_string": address.query.encode(),
        "headers": [(b"host", b"127.0.0.1"), (b"cookie", f"{OWNER_COOKIE}={COOKIE}".encode())],
    }
    in_a_loop_of_its_own(APP(scope, nothing, never))
    assert transfers._exporting._at_it.total() == 0


def test_a_head_makes_no_file(service: RunService) -> None:
    assert asked("HEAD", export_address(FormatName.CSV, ["one"], ME, "en"))[0] == 405


def sent_in(body: bytes, address: str | None = None, cookie: str | None = COOKIE) -> tuple[int, Any]:
    status, _headers, answer = asked("POST", address or import_address(ME, "en"), cookie, body)
    return status, json.loads(answer)


def test_a_file_is_brought_in(service: RunService) -> None:
    status, answer = sent_in(file_of(whole_run(), whole_run()).getvalue())
    assert (status, answer["text"]) == (200, "Runs imported: 2.")
    assert take_imported(ME) == tuple(answer["runs"])
    assert take_imported(ME) == (), "once"
    for run_id in answer["runs"]:
        assert service.runs.snapshot(run_id).owner == ME


def test_only_a_page_of_the_same_browser_brings_a_file_in(service: RunService) -> None:
    body = file_of(whole_run()).getvalue()
    before = len(service.runs.latest())
    for cookie in (OTHER, None):
        assert sent_in(body, cookie=cookie)[0] == 403
    assert sent_in(body, address=import_address(ME, "en").split("&ticket")[0])[0] == 403
    assert len(service.runs.latest()) == before


def test_what_is_wrong_with_a_file_is_said(service: RunService) -> None:
    status, answer = sent_in(b"[]")
    assert status == 200
    assert "runs" not in answer
    assert "must be one JSON object" in answer["text"]
    assert transfers._importing._at_it.total() == 0


def test_a_file_that_is_too_large_is_not_even_read_whole(
    service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_FILE_BYTES", 100)
    status, answer = sent_in(file_of(whole_run()).getvalue())
    assert status == 413
    assert "more than 100 bytes" in answer["text"]


def test_imports_are_few_at_a_time(service: RunService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "A_BROWSERS_IMPORTS", Allowance(at_once=1, seconds=1000))
    monkeypatch.setattr(transfers, "_imports", transfers._Imports())
    body = file_of(whole_run()).getvalue()
    assert sent_in(body)[0] == 200
    status, answer = sent_in(body)
    assert status == 429
    assert "There were too many imports." in answer["text"]


def test_a_second_import_of_a_browser_waits_for_the_first(service: RunService) -> None:
    end = transfers._importing.take(ME)
    assert sent_in(b"[]")[0] == 429
    end()
    assert sent_in(b"[]")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_else_takes_anything(method: str) -> None:
    for path in ("/", "/dpdash/export/csv", "/dpdash/import/x", "/_stcore/upload_file/a/b"):
        assert asked(method, path)[0] in (404, 405)


def test_a_browser_brings_own_data_and_no_other_one_gets_them(service: RunService) -> None:
    address = data_address(ME, "en") + "&name=prices.csv"
    status, _headers, body = asked("POST", address, body=b"x,y\n1,2\n3,4\n5,7\n")
    assert (status, json.loads(body)) == (200, {"taken": True, "text": "Rows taken: 3."})
    assert take_brought(owner_of(OTHER)) is None
    data = take_brought(ME)
    assert data is not None and (data.name, data.rows, data.is_standardised) == ("prices.csv", 3, False)
    assert take_brought(ME) is None, "once"
    assert service.own_tables._find(data.digest) is not None


def test_own_data_that_are_wrong_are_a_sentence_in_the_readers_language(service: RunService) -> None:
    status, _headers, body = asked("POST", data_address(ME, "pt_BR") + "&name=a.csv", body=b"x,y\n1,2\n3,oops\n")
    assert status == 200
    said = json.loads(body)
    assert said.keys() == {"text"} and said["text"].startswith("Linha 3: x e y devem ser números finitos")
    assert take_brought(ME) is None


def test_own_data_need_a_ticket_of_their_own_and_are_bounded(
    service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked("POST", import_address(ME, "en").replace("/import", "/data"), body=b"1,2\n3,4")[0] == 403
    assert asked("POST", data_address(ME, "en"), OTHER, body=b"1,2\n3,4")[0] == 403
    monkeypatch.setattr(transfers, "MOST_BYTES", 10)
    assert asked("POST", data_address(ME, "en"), body=b"1,2\n" * 9)[0] == 413
