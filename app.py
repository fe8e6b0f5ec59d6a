"""Starts the dashboard: `streamlit run app.py`.

A launcher and not the page itself: on a fresh server, Streamlit answers a deep link with a script in `pages/` and
never runs the entry point, unless the entry point is an app object.
"""

import sys

import streamlit as st

from dpdash.core.errors import DpdashError
from dpdash.core.places import PACKAGE
from dpdash.core.settings import read_settings
from dpdash.web.server import lifespan, middleware, routes

try:
    settings = read_settings()
except DpdashError as error:
    sys.exit(str(error))
app = st.App(PACKAGE / "main.py", lifespan=lifespan, routes=routes(), middleware=middleware(settings))
