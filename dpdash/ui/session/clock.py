"""When something was, by the reader's own clock."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dpdash.core.words import moment


def written_time(at: float) -> str:
    """A moment of Unix time in seconds, to the second."""
    return moment(at, _timezone())


def _timezone() -> ZoneInfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
