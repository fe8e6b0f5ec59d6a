"""One step of the training, taken apart: what each replica did, when, and what came of it."""

from dpdash.ui.parallelism.page import show_step_page
from dpdash.ui.parts.sidebar import sidebar
from dpdash.ui.session.shown_run import own_run, shown_run

shown = shown_run()
sidebar(own_run())
show_step_page(shown)
