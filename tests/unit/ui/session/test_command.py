"""A command is carried out whole, ends where something is wrong, and that is kept."""

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.errors import DpdashError
from dpdash.ui.session.command import PROBLEM_KEY


def page() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx
    from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

    from dpdash.core.errors import DpdashError
    from dpdash.ui.session.command import command

    def say_something() -> None:
        running = get_script_run_ctx()
        assert running is not None and running.script_requests is not None
        assert running.script_requests.request_rerun(RerunData())

    def start() -> None:
        say_something()
        st.session_state["started"] = True
        st.session_state["shown"] = "run 1"

    def refuse() -> str:
        raise DpdashError("There is no room.")

    def fail() -> None:
        st.session_state["started"] = True
        st.session_state["shown"] = refuse()

    st.button("Start, cut", on_click=start)
    st.button("Start", on_click=command(start))
    st.button("Fail", on_click=command(fail))


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page).run()


def click(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_a_message_that_comes_meanwhile_does_not_cut_it_short(app: AppTest) -> None:
    assert "shown" not in click(app, "Start, cut").session_state
    assert click(app, "Start").session_state["shown"] == "run 1"


def test_what_is_wrong_ends_it_and_is_kept(app: AppTest) -> None:
    state = click(app, "Fail").session_state
    assert state["started"]
    assert "shown" not in state
    assert isinstance(state[PROBLEM_KEY], DpdashError)
    assert str(state[PROBLEM_KEY]) == "There is no room."
