"""Every run that is kept: found again, named, compared, opened and repeated."""

from dpdash.ui.runs.page import show_runs

show_runs()
