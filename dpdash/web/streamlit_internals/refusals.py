"""What is said about requests that are refused: once a kind and minute, however many there are.

What is refused, and why Streamlit says so much of it: ADR 0019.
"""

import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from streamlit.runtime.runtime_util import WidgetStateSizeError

from dpdash.web.rate_limit import Allowance, RateLimiter

ONCE_PER_MINUTE: Final = Allowance(at_once=1, seconds=60)
PACKAGE: Final = Path(__file__).resolve().parents[2]
STATE: Final = "streamlit.runtime.state.session_state"
COMPONENTS: Final = "streamlit.components.v2.bidi_component.serialization"
READING: Final = frozenset(
    {
        (STATE, "WStates.__getitem__"),
        (STATE, "WStates.get_serialized"),
        (STATE, "SessionState.filtered_state"),
        (COMPONENTS, "BidiComponentSerde.deserialize"),
    }
)
"""Where Streamlit reads the values that a page has sent, or sends them back."""
TELLING: Final = ("streamlit.error_util", COMPONENTS)
"""The loggers that tell of what was raised there."""


class OncePerMinute(logging.Filter):
    """Lets one record of a kind through each minute, with the number of those that it held back.

    Records are of one kind when they have the same logger, the same message before its values are filled in, and
    the same type of exception: what callers send is in the values, so they cannot make new kinds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds and never jumps."""
        super().__init__()
        self._clock = clock
        self._limiter = RateLimiter(ONCE_PER_MINUTE)
        self._held_back: dict[tuple[object, ...], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.name, record.msg, record.exc_info[0] if record.exc_info else None
        now = self._clock()
        if self._limiter.seconds_to_wait(kind, now) > 0:
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return False
        self._limiter.take(kind, now)
        num_held_back = self._held_back.pop(kind, 0)
        if num_held_back:
            record.msg, record.args = f"{record.getMessage()} ({num_held_back} more since the last time)", None
        return True


class ForgedValues(logging.Filter):
    """Tells of a widget's value that no widget has sent as of a refusal: in a line, once a minute.

    Streamlit takes a value for what its widget sends, and where it is not, fails in the forger's own session.
    """

    def __init__(self, once_per_minute: OncePerMinute) -> None:
        super().__init__()
        self._once_per_minute = once_per_minute

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not _is_about_forged_value(error):
            return True
        record.msg, record.args = "A page sent a value that its widget cannot have: %s.", (type(error).__name__,)
        record.exc_info = None
        return self._once_per_minute.filter(record)


def _is_about_forged_value(error: BaseException) -> bool:
    """Whether Streamlit failed to read or to repeat what a page sent, and nothing of ours that it then called."""
    if isinstance(error, WidgetStateSizeError):
        return True
    is_reading = False
    for frame, _line in traceback.walk_tb(error.__traceback__):
        if (frame.f_globals.get("__name__"), frame.f_code.co_qualname) in READING:
            is_reading = True
        elif Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
            is_reading = False
    return is_reading


def quieten(*names: str) -> None:
    """Apply it to these loggers, once each."""
    for name in names:
        _add_once(name, OncePerMinute())


def shorten_forged() -> None:
    """Let what pages forge not fill the log."""
    for name in TELLING:
        _add_once(name, ForgedValues(OncePerMinute()))


def _add_once(name: str, wanted: logging.Filter) -> None:
    logger = logging.getLogger(name)
    if not any(type(known) is type(wanted) for known in logger.filters):
        logger.addFilter(wanted)
