"""Whether Streamlit draws a part of a page only; it has no public way to tell (ADR 0009)."""

from streamlit.runtime.scriptrunner import get_script_run_ctx


def is_refresh() -> bool:
    """Whether a fragment alone is drawn now, not the whole page."""
    running = get_script_run_ctx()
    return running is not None and bool(running.fragment_ids_this_run)
