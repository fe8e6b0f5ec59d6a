"""A page under AppTest: the real frame, the real service, a database of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dpdash.core.config import FIELD_NAMES, RunConfig
from dpdash.runs.service import RunService
from dpdash.ui.session.inputs import VALUES_KEY
from dpdash.ui.session.state import SETTINGS_KEY
from dpdash.web.process import run_service

MAIN = Path(__file__).resolve().parents[2] / "dpdash" / "main.py"
TIMEOUT_SECONDS = 30

OpenPage = Callable[..., AppTest]


def put(page: AppTest, name: str, value: Any) -> None:
    """Let an input of the page, or a setting of the next run, stand at a value from its next run on."""
    state = page.session_state
    if name in FIELD_NAMES:
        state[SETTINGS_KEY] = RunConfig.parse(dict(state[SETTINGS_KEY]) | {name: value})
    else:
        state[VALUES_KEY] = getattr(state, VALUES_KEY, {}) | {name: value}


def given(page: AppTest, name: str) -> Any:
    """What an input or a setting stands at."""
    state = page.session_state
    return getattr(state[SETTINGS_KEY], name) if name in FIELD_NAMES else state[VALUES_KEY][name]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunService]:
    """The service that the pages of this test share."""
    monkeypatch.setenv("DPDASH_DATABASE_URL", f"sqlite:///{tmp_path / 'runs.db'}")
    st.cache_resource.clear()
    service = run_service()
    yield service
    service.shutdown(timeout=5)
    st.cache_resource.clear()


@pytest.fixture
def open_page(service: RunService) -> OpenPage:
    """Opens the Train page as a first visit with this query, in this language."""

    def opened(language: str = "en", owner: str = "a browser", **query: str) -> AppTest:
        page = AppTest.from_file(MAIN, default_timeout=TIMEOUT_SECONDS)
        page.session_state["owner"] = owner
        put(page, "language", language)
        for name, value in query.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return opened
