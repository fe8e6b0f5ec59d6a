"""What a page's next message may cut short, and what not."""

import pytest
from streamlit.runtime.scriptrunner import RerunException
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

from dpdash.web.streamlit_internals.uncut import uncut


class Session:
    """A session whose page sends messages: each is raised once, at the next access, as Streamlit does."""

    def __init__(self, *messages: RerunException) -> None:
        self.messages = list(messages)
        self.done: list[str] = []

    def access(self, name: str) -> str:
        if self.messages:
            raise self.messages.pop(0)
        self.done.append(name)
        return name


def message() -> RerunException:
    return RerunException(RerunData())


def test_the_next_message_waits_until_everything_is_done() -> None:
    first, last = message(), message()
    session = Session(first, last)

    def command() -> None:
        with uncut() as through:
            assert through(lambda: session.access("settings")) == "settings"
            through(lambda: session.access("run"))

    with pytest.raises(RerunException) as answered:
        command()
    assert session.done == ["settings", "run"]
    assert answered.value is last


def test_without_a_message_nothing_is_raised() -> None:
    session = Session()
    with uncut() as through:
        through(lambda: session.access("run"))
    assert session.done == ["run"]


def test_what_goes_wrong_is_not_taken_for_a_message() -> None:
    def fail() -> None:
        raise KeyError("run")

    with pytest.raises(KeyError), uncut() as through:
        through(fail)
