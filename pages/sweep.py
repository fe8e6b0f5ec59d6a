"""Search over settings with many runs, and see where the good ones are."""

from dpdash.ui.sweep.page import show_sweep

show_sweep()
