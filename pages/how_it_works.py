"""What data parallelism does in a step, and when it pays."""

from dpdash.ui.guide.page import show_guide

show_guide()
