"""Measure how training scales over replicas on this machine, and what limits it."""

from dpdash.ui.scaling.page import show_scaling

show_scaling()
