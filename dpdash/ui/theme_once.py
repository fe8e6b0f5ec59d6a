"""Works the theme out once for a process.

Streamlit sends it with every run of a page, each refresh too, and each time looks for its values among all of its
options: a tenth of what a refresh costs. It has no public way to keep it; ADR 0009 says what is used here and why.
"""

from functools import cache

from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

_work_out = app_session._populate_theme_msg


def keep_theme() -> None:
    """From here on, take each section of the theme as it now stands: a server's theme is that of its start."""
    app_session._populate_theme_msg = _put_theme


def _put_theme(msg: CustomThemeConfig, section: str = "theme") -> None:
    kept = _theme(section)
    # An empty section would count as one that is set.
    if kept.ByteSize():
        msg.MergeFrom(kept)


@cache
def _theme(section: str) -> CustomThemeConfig:
    message = CustomThemeConfig()
    _work_out(message, section)
    return message
