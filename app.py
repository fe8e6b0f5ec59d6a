"""Starts the dashboard: `streamlit run app.py`.

A launcher and not the page itself: on a fresh server, Streamlit answers a deep link with a script in `pages/` and
never runs the entry point, unless the entry point is an app object.
"""

import streamlit as st

from dpdash.ui.server import MIDDLEWARE, ROUTES, lifespan

app = st.App("dpdash/main.py", lifespan=lifespan, routes=ROUTES, middleware=MIDDLEWARE)
