"""Whether a person has gone back in the browser's history; Streamlit has no public way to tell (ADR 0021)."""

from streamlit.runtime.scriptrunner import get_script_run_ctx


def is_step_in_history() -> bool:
    """Whether the page is drawn because its address was gone back, or forth, to."""
    running = get_script_run_ctx()
    return running is not None and bool(running.is_history_navigation)
