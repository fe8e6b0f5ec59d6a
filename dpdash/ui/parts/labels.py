"""A list of studies or sweeps to choose from, and what its entries are called."""

from collections import Counter
from collections.abc import Mapping

import streamlit as st


def choose(title: str, key: str, labels: Mapping[str, str], usual: str, help_text: str) -> None:
    """Show the list with one of these ids chosen, the usual one where none of them is."""
    names = distinct(labels)
    if st.session_state.get(key) not in names:
        st.session_state[key] = usual
    st.selectbox(
        title, list(names), key=key, persist_state="session", format_func=names.__getitem__, help=help_text
    )


def distinct(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels by id; the browser sends the text back, so no two may be the same."""
    count = Counter(labels.values())
    return {name: label if count[label] == 1 else f"{label} · {name}" for name, label in labels.items()}
