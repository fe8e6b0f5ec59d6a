"""What a page's next message may cut short, and what not."""

from types import SimpleNamespace

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import RerunException, StopException
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests, ScriptRequestType
from streamlit.runtime.state import SafeSessionState, SessionState

from dpdash.web.streamlit_internals.uncut import uncut


class Page:
    """A session and the messages of its page, answered as in Streamlit when the session is read or written."""

    def __init__(self) -> None:
        self.script_requests = ScriptRequests()
        self.session_state = SafeSessionState(SessionState(), self._answer)

    def _answer(self) -> None:
        request = self.script_requests.on_scriptrunner_yield()
        if request is not None:
            raise StopException if request.type is ScriptRequestType.STOP else RerunException(request.rerun_data)

    def click(self, button: str) -> None:
        states = WidgetStates()
        states.widgets.add(id=button).trigger_value = True
        self.script_requests.request_rerun(RerunData(widget_states=states))


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    found = Page()
    monkeypatch.setattr("dpdash.web.streamlit_internals.uncut.get_script_run_ctx", lambda: found)
    return found


def test_the_next_message_waits_until_everything_is_done(page: Page) -> None:
    with uncut():
        page.click("pause")
        page.session_state["settings"] = "changed"
        page.session_state["run"] = page.session_state["settings"]
    with pytest.raises(RerunException):
        assert page.session_state["run"]
    assert page.session_state["run"] == "changed"


def test_none_of_several_messages_is_lost(page: Page) -> None:
    with uncut():
        for button in ("pause", "stop"):
            page.click(button)
            page.session_state["run"] = button
    with pytest.raises(RerunException) as answered:
        assert page.session_state["run"]
    states = answered.value.rerun_data.widget_states
    assert states is not None
    assert {widget.id for widget in states.widgets} == {"pause", "stop"}


def test_a_command_within_a_command_does_not_end_the_waiting(page: Page) -> None:
    with uncut():
        with uncut():
            page.click("pause")
        page.session_state["run"] = "shown"
    with pytest.raises(RerunException):
        assert page.session_state["run"]


def test_a_page_that_is_to_stop_is_not_written_to(page: Page) -> None:
    with uncut():
        page.session_state["settings"] = "changed"
        page.script_requests.request_stop()
        with pytest.raises(StopException):
            page.session_state["run"] = "shown"


def test_what_goes_wrong_ends_the_waiting_too(page: Page) -> None:
    def fail() -> None:
        with uncut():
            page.click("pause")
            raise KeyError("run")

    with pytest.raises(KeyError, match="run"):
        fail()
    with pytest.raises(RerunException):
        page.session_state["run"] = "shown"


@pytest.mark.parametrize("running", [None, SimpleNamespace(script_requests=None)])
def test_without_a_page_there_is_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch, running: object) -> None:
    monkeypatch.setattr("dpdash.web.streamlit_internals.uncut.get_script_run_ctx", lambda: running)
    with uncut():
        pass
