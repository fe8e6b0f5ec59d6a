from collections.abc import Iterator

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import NewSession
from streamlit.runtime import app_session

from dpdash.ui import theme_once

SECTIONS = ("theme", "theme.light", "theme.dark", "theme.sidebar", "theme.light.sidebar", "theme.dark.sidebar")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(app_session, "_populate_theme_msg", theme_once._work_out)
    theme_once._theme.cache_clear()
    yield
    theme_once._theme.cache_clear()


def theme() -> bytes:
    """The part of Streamlit's message that is about the theme, made as `AppSession` makes it."""
    message = NewSession()
    for section in SECTIONS:
        part = message.custom_theme
        for name in section.split(".")[1:]:
            part = getattr(part, name)
        app_session._populate_theme_msg(part, section)
    return message.SerializeToString(deterministic=True)


def test_a_kept_theme_is_the_one_that_streamlit_works_out() -> None:
    worked_out = theme()
    assert b"#B8400A" in worked_out
    theme_once.keep_theme()
    assert app_session._populate_theme_msg is not theme_once._work_out
    assert theme() == worked_out
    assert theme() == worked_out


def test_it_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    theme_once.keep_theme()
    kept = theme()
    monkeypatch.setattr(config, "get_options_for_section", None)
    assert theme() == kept
