"""When something was, by the reader's own clock."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def written_time(at: float) -> str:
    """A moment of Unix time in seconds, to the second."""
    return datetime.fromtimestamp(at, _timezone()).strftime("%Y-%m-%d %H:%M:%S")


def _timezone() -> ZoneInfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
