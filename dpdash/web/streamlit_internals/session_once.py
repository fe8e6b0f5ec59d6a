"""Works out once for each run of a page what Streamlit says with each refresh of it.

Before each run, a refresh too, Streamlit tells the page its options, its theme and the app's pages, and looks for
all of them anew: a sixth of what a refresh costs. It has no public way to keep them; ADR 0009 says what is used
here and why.
"""

from typing import Final
from weakref import WeakKeyDictionary

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NewSession_pb2 import NewSession
from streamlit.runtime.app_session import AppSession, _set_run_identity
from streamlit.runtime.scriptrunner_utils.run_descriptor import RunDescriptor
from streamlit.source_util import PageHash, PageInfo

_work_out: Final = AppSession._create_new_session_message
_told: Final[WeakKeyDictionary[AppSession, NewSession]] = WeakKeyDictionary()
"""What each page was told when its script last ran whole. Only the runtime's event loop touches it."""


def keep_sessions() -> None:
    """From here on, say with a refresh of a page what was said when the whole page was drawn."""
    AppSession._create_new_session_message = _message  # type: ignore[assignment]  # mypy takes it for a bound method


def _message(
    session: AppSession,
    page_script_hash: str,
    run_descriptor: RunDescriptor,
    pages: dict[PageHash, PageInfo] | None = None,
) -> ForwardMsg:
    told = _told.get(session)
    if told is None or not run_descriptor.fragment_ids or told.page_script_hash != page_script_hash:
        message = _work_out(session, page_script_hash, run_descriptor, pages)
        _told[session] = told = NewSession()
        told.CopyFrom(message.new_session)
        return message
    message = ForwardMsg()
    _set_run_identity(message, run_descriptor)
    message.new_session.CopyFrom(told)
    return message
