"""What the log says of values that no widget has sent."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.state.common import WidgetMetadata
from streamlit.runtime.state.session_state import SessionState, WStates

from dpdash.core.config import RunConfig
from dpdash.web.streamlit_internals.refusals import TELLING, ForgedValues, OncePerMinute, shorten_forged

WIDGET = "a widget"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The log, with a filter of its own on the logger that tells of exceptions in a page's script."""
    logger = logging.getLogger(TELLING[0])
    before, propagates = list(logger.filters), logger.propagate
    logger.filters[:], logger.propagate = [ForgedValues(OncePerMinute(lambda: 0.0))], True
    yield caplog
    logger.filters[:], logger.propagate = before, propagates


def values(deserializer: Callable[[Any], object], sent: WidgetState) -> WStates:
    """What a page has sent, and what makes a value of it."""
    states = WStates()
    states.set_widget_metadata(
        WidgetMetadata(WIDGET, deserializer, lambda value: value, value_type="string_value")
    )
    states.set_widget_from_proto(sent)
    return states


def tell(act: Callable[[], object]) -> None:
    """Fail as a page's script fails."""
    try:
        act()
    except Exception as error:
        logging.getLogger(TELLING[0]).error("Uncaught app execution", exc_info=error)
    else:
        pytest.fail("nothing was raised")


def test_a_forged_value_gets_a_line_once_a_minute(log: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        tell(lambda: values(int, WidgetState(id=WIDGET, string_value="secret"))[WIDGET])
    assert log.messages == ["A page sent a value that its widget cannot have: ValueError."]
    assert "secret" not in log.text
    assert "Traceback" not in log.text


def test_an_id_that_no_widget_has_does_too(log: pytest.LogCaptureFixture) -> None:
    state = SessionState()
    state._new_widget_state.set_widget_from_proto(WidgetState(id=WIDGET, string_value="x"))
    tell(lambda: state.filtered_state)
    assert log.messages == ["A page sent a value that its widget cannot have: KeyError."]


def test_a_mistake_of_the_dashboard_keeps_its_traceback(log: pytest.LogCaptureFixture) -> None:
    tell(lambda: SessionState()["samples"])
    tell(lambda: values(lambda text: RunConfig.parse({"samples": text}), WidgetState(id=WIDGET))[WIDGET])
    assert log.messages == ["Uncaught app execution"] * 2
    assert log.text.count("Traceback") >= 2


def test_it_is_applied_once() -> None:
    for _ in range(3):
        shorten_forged()
    for name in TELLING:
        assert sum(isinstance(known, ForgedValues) for known in logging.getLogger(name).filters) == 1
