"""The menu that takes runs away, and the form that brings them in, in each language."""

import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock, LearningRateChanged, RunFinished
from dpdash.core.translations import LANGUAGES, language
from dpdash.files.formats import FILES, FormatName
from dpdash.files.imports import import_runs
from dpdash.files.mlflow import VARIABLE
from dpdash.files.run import whole_runs
from dpdash.runs.service import Pace, RunService
from dpdash.ui.parts import exports
from dpdash.web.addresses import in_page
from dpdash.web.transfers import EXPORT_PATH, IMPORT_PATH
from tests.app.conftest import OpenPage, put
from tests.app.driving import again, click, go
from tests.app.visible import visible_texts
from tests.unit.files.made_up import STARTED, file_of, whole_run

LONG = 30.0
ME = "a browser"
NAMES = ["csv", "parquet", "json", "html", "tensorboard"]


@pytest.fixture
def run_id(service: RunService) -> str:
    """A run that is over."""
    started = service.start(RunConfig(samples=100, epochs=20), ME, Pace.full_speed())
    assert service.runs.wait(started, LONG)
    return started


def at_the_table(page: AppTest) -> AppTest:
    put(page, "view", "table")
    return again(page)


def offers(page: AppTest) -> dict[str, str]:
    """The addresses in the menu, by the format's name."""
    links = [link.proto for link in page.get("link_button")]
    found = [link for link in links if link.url.startswith(in_page(EXPORT_PATH))]
    return {link.url.split("?")[0].removeprefix(in_page(f"{EXPORT_PATH}/")): link.url for link in found}


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_run_can_be_taken_away_in_each_format(open_page: OpenPage, run_id: str, code: str) -> None:
    page = at_the_table(open_page(code, run=run_id))
    found = offers(page)
    assert list(found) == NAMES
    assert all(f"run={run_id}" in url and f"language={code}" in url for url in found.values())
    assert language(code).text("Import runs (JSON)") in visible_texts(page)


def test_before_a_run_there_is_nothing_to_take_but_one_can_come_in(open_page: OpenPage) -> None:
    page = at_the_table(open_page())
    assert offers(page) == {}
    assert "Import runs (JSON)" in visible_texts(page)
    (form,) = (node.proto for node in page.get("bidi_component") if IMPORT_PATH in node.proto.json)
    assert json.loads(form.json)["address"].startswith(in_page(f"{IMPORT_PATH}?language=en&ticket="))


def test_each_browser_has_addresses_of_its_own(open_page: OpenPage, run_id: str) -> None:
    mine = offers(at_the_table(open_page(run=run_id)))
    yours = offers(at_the_table(open_page(owner="another browser", run=run_id)))
    assert mine["csv"] != yours["csv"]
    assert mine["csv"].split("&ticket")[0] == yours["csv"].split("&ticket")[0]


def test_an_imported_run_says_that_it_is(open_page: OpenPage, service: RunService) -> None:
    (imported,) = import_runs(file_of(whole_run()), service, ME)
    page = open_page(run=imported)
    assert any("This run was imported from a file." in info.value for info in page.info)


def test_without_tensorboard_the_menu_says_what_to_install(
    open_page: OpenPage, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.files.formats.is_installed", lambda library: False)
    page = at_the_table(open_page(run=run_id))
    (link,) = (link.proto for link in page.get("link_button") if "/tensorboard" in link.proto.url)
    assert link.disabled
    assert "python -m pip install -r requirements-extras.txt" in link.help


def test_mlflow_is_offered_where_somebody_has_said_where_it_is(
    open_page: OpenPage, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv(VARIABLE, raising=False)
    page = at_the_table(open_page(run=run_id))
    assert not [button for button in page.button if button.key == "send_to_mlflow"]
    monkeypatch.setenv(VARIABLE, "nowhere://x")
    page = click(again(page), "send_to_mlflow")
    assert any("did not take the run" in error.value for error in page.error)
    monkeypatch.setattr(exports, "MOST_SENT_EPOCHS", 5)
    page = click(page, "send_to_mlflow")
    assert any("A page sends at most 5 epochs to MLflow" in error.value for error in page.error)


def test_what_mlflow_takes_is_said(open_page: OpenPage, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setenv(VARIABLE, "somewhere")
    monkeypatch.setattr(exports, "is_installed", lambda library: True)
    monkeypatch.setattr(exports, "send_to_mlflow", lambda run: sent.append(run.record.run_id))
    page = click(at_the_table(open_page(run=run_id)), "send_to_mlflow")
    assert sent == [run_id]
    assert "Sent to MLflow. Runs: 1." in visible_texts(page)


def test_more_runs_than_one_file_holds_are_not_offered(
    service: RunService, open_page: OpenPage, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MOST_RUNS", 0)
    page = at_the_table(open_page(run=run_id))
    links = [link.proto for link in page.get("link_button") if link.proto.url.startswith(in_page(EXPORT_PATH))]
    assert links
    assert all(link.disabled and link.help == "One file holds at most 0 runs." for link in links)


@pytest.mark.parametrize("look", ["surface", "slope", "table"])
def test_numbers_that_nobody_trained_break_no_page(open_page: OpenPage, service: RunService, look: str) -> None:
    values = np.array([-3e38, 3e38, 0, 1e-45, -1], dtype=np.float32)
    times = np.array([1e300, -1e300, 0, 5, -5])
    block = EpochBlock(
        1, loss=values, slope=values, intercept=values, learning_rate=times, seconds=np.sort(np.abs(times))
    )
    started = replace(STARTED, devices=("<script>", ""), shard_sizes=(0,), one_device_step_seconds=1e300)
    log = (started, block, LearningRateChanged(1_000_000, -1e300), RunFinished(5, 1e308, -1e308, 1e308))
    hostile = whole_run(log, name="**bold** <b>", note="$x$")
    (imported,) = import_runs(file_of(hostile), service, ME)
    page = open_page(run=imported)
    put(page, "view", look)
    assert len(offers(again(page))) == (len(NAMES) if look == "table" else 0)
    go(page, "../pages/parallelism.py")
    assert b"Slope" in b"".join(
        FILES[FormatName.HTML].encode(whole_runs(service.runs, [imported]), language("en"))
    )
