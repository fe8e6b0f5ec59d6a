"""The Train page of a server that allows less than others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dpdash.core.config import FIELD_NAMES, RunConfig
from dpdash.core.settings import ServerSettings
from dpdash.runs.service import Pace, RunService
from dpdash.web.process import run_service
from tests.app.conftest import OpenPage, put

MAX_SAMPLES, MAX_EPOCHS = 3_000, 40
WAIT_SECONDS: Final = 30


def sentences(page: AppTest) -> list[str]:
    return [line.replace("\\", "") for box in (*page.warning, *page.error) for line in box.value.split("  \n")]


def settings(page: AppTest) -> RunConfig:
    """The settings in the page's address."""
    query = dict(page.query_params)
    values = {name: value if isinstance(value, str) else value[-1] for name, value in query.items()}
    return RunConfig.parse({name: value for name, value in values.items() if name in FIELD_NAMES})


@pytest.fixture
def narrow(service: RunService, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunService]:
    """A server that allows less than others, in the place of the usual one."""
    monkeypatch.setenv("DPDASH_MAX_SAMPLES", str(MAX_SAMPLES))
    monkeypatch.setenv("DPDASH_MAX_EPOCHS", str(MAX_EPOCHS))
    service.shutdown(timeout=5)
    st.cache_resource.clear()
    narrow = run_service()
    yield narrow
    narrow.shutdown(timeout=5)


def test_a_first_visit_is_within_the_limits_and_is_told_nothing(narrow: RunService, open_page: OpenPage) -> None:
    page = open_page()
    assert (settings(page).samples, settings(page).epochs) == (MAX_SAMPLES, MAX_EPOCHS)
    assert not sentences(page)


def test_a_link_beyond_the_limits_is_told_so(narrow: RunService, open_page: OpenPage) -> None:
    page = open_page(samples="5000", epochs="1000000", noise="2")
    assert (settings(page).samples, settings(page).epochs, settings(page).noise) == (MAX_SAMPLES, MAX_EPOCHS, 2)
    assert sentences(page) == [
        "Samples must be at most 3,000 on this server. Received: 5,000. Try 3,000.",
        "Epochs must be at most 40 on this server. Received: 1,000,000. Try 40.",
    ]


def test_the_sliders_end_at_the_limits(narrow: RunService, open_page: OpenPage) -> None:
    page = open_page()
    page.select_slider(key="samples").set_value(2_000).run()
    assert page.select_slider(key="samples").options[-2:] == ["2,000", "3,000"]
    assert page.select_slider(key="epochs").options[-2:] == ["20", "40"]
    assert page.select_slider(key="global_batch_size").options[-2:] == ["1,000", "all"]


def test_nothing_beyond_the_limits_is_suggested(narrow: RunService, open_page: OpenPage) -> None:
    # Noise wins, and more samples would help.
    page = open_page(samples="3000", epochs="40", noise="100", optimizer="sgd", learning_rate="0.05")
    put(page, "pace", "max")
    page.button(key="transport_start").click().run()
    assert narrow.runs.wait(page.session_state["run"], WAIT_SECONDS)
    page.run()
    assert page.button(key="suggestion").label == "Try noise 10"
    page.button(key="suggestion").click().run()
    assert not sentences(page)
    assert narrow.runs.snapshot(page.session_state["run"]).config.noise == 10


def test_a_run_beyond_the_limits_can_be_watched_and_is_not_repeated(
    narrow: RunService, open_page: OpenPage, tmp_path: Path
) -> None:
    owner = RunService.open(ServerSettings(max_samples=10_000, max_epochs=1_000))
    run_id = owner.start(RunConfig(samples=5_000, epochs=60), "the command line", Pace.full_speed())
    assert owner.runs.wait(run_id, WAIT_SECONDS)
    owner.shutdown()
    page = open_page(run=run_id)
    assert page.session_state["run"] == run_id
    page.button(key="transport_start").click().run()
    assert not sentences(page)
    config = narrow.runs.snapshot(page.session_state["run"]).config
    assert (config.samples, config.epochs) == (MAX_SAMPLES, MAX_EPOCHS)


def test_the_narrowest_server_shows_its_page(
    service: RunService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("SAMPLES", "EPOCHS"):
        monkeypatch.setenv(f"DPDASH_MAX_{limit}", "1")
    service.shutdown(timeout=5)
    st.cache_resource.clear()
    page = open_page()
    page.button(key="transport_start").click().run()
    assert not page.exception
    assert not sentences(page)
    run_service().shutdown(timeout=5)
