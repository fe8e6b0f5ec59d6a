"""One of a few, chosen by a click."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

import streamlit as st

T = TypeVar("T", bound=StrEnum)


def choice(label: str, names: Mapping[T, str], key: str, usual: T, **options: Any) -> T:
    """Show the options with one chosen; the choice stays over refreshes, runs and pages."""
    st.session_state.setdefault(key, usual)
    chosen: T = st.segmented_control(
        label,
        list(names),
        key=key,
        required=True,
        persist_state="session",
        format_func=lambda name: names[name],
        **options,
    )
    return chosen
