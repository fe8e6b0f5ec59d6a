"""What a session makes of values that no page has sent, or of none."""

import math
from typing import Any, Final

import pytest
import streamlit as st
from hypothesis import given

from dpdash.core.config import FIELD_NAMES, RunConfig
from dpdash.core.translations import LANGUAGES
from dpdash.ui.session import language, state
from tests.strategies import run_configs

CONFIG: Final = RunConfig(samples=200, epochs=30, optimizer="sgd", global_batch_size=50)
FORGED: Final[tuple[object, ...]] = (
    None,
    "",
    "🦄",
    "x" * 100_000,
    -1,
    2**200,
    math.nan,
    math.inf,
    [1],
    {},
    b"x",
    object(),
)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A session that shows these settings."""
    session: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", session)
    state.put_settings(CONFIG)
    return session


@pytest.mark.parametrize("name", [name for name in FIELD_NAMES if name != "global_batch_size"])
def test_what_is_no_value_leaves_the_settings_as_they_last_were(name: str, session: dict[str, Any]) -> None:
    before = dict(session)
    for forged in FORGED:
        session[name] = forged
        assert state.wanted_settings() == CONFIG, forged
        state.settle_settings()
        assert session == before, forged
    del session[name]
    assert state.wanted_settings() == CONFIG
    state.settle_settings()
    assert session == before


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: type(forged).__name__)
def test_a_batch_size_that_is_none_leaves_the_other_settings(forged: object, session: dict[str, Any]) -> None:
    session["global_batch_size"] = forged
    config = state.wanted_settings()
    assert config.global_batch_size in (None, CONFIG.global_batch_size)
    assert config.changes_from(CONFIG).keys() <= {"global_batch_size"}


def test_what_a_person_chose_is_what_is_fallen_back_to(session: dict[str, Any]) -> None:
    session["epochs"] = 70
    state.settle_settings()
    session["epochs"] = "many"
    assert state.wanted_settings().epochs == 70


@given(run_configs())
def test_settings_come_back_as_they_were_put(config: RunConfig) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "session_state", {})
        state.put_settings(config)
        found = state.wanted_settings()
    # All samples at once have two names.
    assert found.changes_from(config).keys() <= {"global_batch_size"}
    assert found.global_batch_size in (config.global_batch_size, None)


def test_a_language_that_there_is_not_is_english(session: dict[str, Any]) -> None:
    for code in LANGUAGES:
        session[language.LANGUAGE_KEY] = code
        assert language.current().code == code
    for forged in FORGED:
        session[language.LANGUAGE_KEY] = forged
        assert language.current().code == "en", forged
