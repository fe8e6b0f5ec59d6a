"""What the entries of a list of studies or sweeps are called."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def local_time(at: float) -> str:
    """A moment, Unix time in seconds, on the reader's clock."""
    return datetime.fromtimestamp(at, _timezone()).strftime("%Y-%m-%d %H:%M:%S")


def distinct(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels by id; the browser sends the text back, so no two may be the same."""
    count = Counter(labels.values())
    return {name: label if count[label] == 1 else f"{label} · {name}" for name, label in labels.items()}


def _timezone() -> ZoneInfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
