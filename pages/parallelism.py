"""One step of the training, taken apart: what each replica did, when, and what came of it."""

from dpdash.ui.parallelism import show_step_page
from dpdash.ui.shown import own_run, shown_run, take_settings_of_linked_run
from dpdash.ui.sidebar import sidebar

take_settings_of_linked_run()
shown = shown_run()
sidebar(own_run())
show_step_page(shown)
