"""Start a run, watch it, and look back through it."""

import streamlit as st

from dpdash.ui.guide.page import guide_link
from dpdash.ui.parts.header import header
from dpdash.ui.parts.notices import show_run_notices
from dpdash.ui.parts.sidebar import sidebar
from dpdash.ui.session.shown_run import own_run, shown_run
from dpdash.ui.train.last_run import show_last_run
from dpdash.ui.train.live import live_area
from dpdash.ui.train.substitute import show_substitute
from dpdash.ui.train.transport import transport

shown = shown_run()
sidebar(own_run())
with st.container(key="train"):
    header(shown)
    show_run_notices(shown)
    show_substitute(shown)
    show_last_run(shown)
    transport(shown)
    live_area(shown)
    guide_link()
