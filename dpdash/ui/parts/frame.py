"""What every page looks like beside its own content."""

from pathlib import Path
from typing import Final

import streamlit as st

from dpdash.ui.parts import live_chart

STYLE: Final = Path(__file__).with_name("frame.css")


def apply_page_style() -> None:
    """Put the pages' own style sheet in."""
    st.html(STYLE)
    st.html(f"<style>{live_chart.STYLE}</style>")
