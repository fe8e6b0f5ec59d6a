"""The settings that a session has."""

from typing import Any, Final

import pytest
import streamlit as st
from hypothesis import given

from dpdash.core.config import RunConfig
from dpdash.core.errors import ConfigError
from dpdash.core.translations import LANGUAGES
from dpdash.ui.session import language, state
from tests.strategies import run_configs

CONFIG: Final = RunConfig(samples=200, epochs=30, optimizer="sgd", global_batch_size=50)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A session that shows these settings."""
    session: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", session)
    state.put_settings(CONFIG)
    return session


def test_a_batch_of_all_samples_is_one_without_a_limit(session: dict[str, Any]) -> None:
    state.change_settings({"samples": 50})
    assert state.wanted_settings().changes_from(CONFIG) == {"samples": 50, "global_batch_size": None}


def test_settings_that_there_are_not_leave_those_that_there_were(session: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="learning rate must be at most 10"):
        state.change_settings({"learning_rate": 50, "epochs": 5})
    assert state.wanted_settings() == CONFIG


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
        language.LANGUAGE.put(code)
        assert language.current().code == code
    for unknown in ("", "🦄", "x" * 100_000):
        language.LANGUAGE.put(unknown)
        assert language.current().code == "en", unknown
