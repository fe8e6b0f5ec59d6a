"""Settings and run in the page's address.

The query is read when a session begins, or goes back to it, and written whole when something has changed;
`bind="query-params"` would keep formatted labels and drop defaults.
"""

import re
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from dpdash.core.config import RunConfig, bounds
from dpdash.core.places import PAGES
from dpdash.core.translations import HAVE_A_COLUMN
from dpdash.ui.session.batch_scope import REPLICA_BATCH, ReplicaBatch, keep_rate_base
from dpdash.ui.session.inputs import PRESENT, SCALING_VIEW, ScalingView
from dpdash.ui.session.state import PROBLEMS_KEY, put_settings, show_run, wanted_settings
from dpdash.web.links import parse_query
from dpdash.web.long_links import BATCH_PARAMETER, PRESENT_PARAMETER, RUN_PARAMETER, SCALING_PARAMETER
from dpdash.web.process import run_service
from dpdash.web.streamlit_internals.history import is_step_in_history
from dpdash.web.streamlit_internals.push import RUN_KEY

READ_KEY: Final = "link_was_read"
PRESENTED: Final = "on"
NUMBER: Final = re.compile(r"\d{1,8}", re.ASCII)


def read_link() -> None:
    """Take settings and run from an address that is opened or gone back to; what is wrong is kept to be shown."""
    if READ_KEY in st.session_state and not is_step_in_history():
        return
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    PRESENT.put(query.pop(PRESENT_PARAMETER, [""])[-1] == PRESENTED)
    is_exchange = query.pop(SCALING_PARAMETER, [""])[-1] == ScalingView.EXCHANGE
    SCALING_VIEW.put(ScalingView.EXCHANGE if is_exchange else ScalingView.SPEED_UP)
    each = query.pop(BATCH_PARAMETER, [""])[-1]
    link = parse_query(query, run_service().limits)
    data = wanted_settings().data if READ_KEY in st.session_state else None
    # An address says nothing of own data, so a step back leaves them as they are.
    put_settings(link.config if data is None else link.config.on(data))
    low, high = bounds("global_batch_size")
    REPLICA_BATCH.put(int(each) if NUMBER.fullmatch(each) and low <= int(each) <= high else 0)
    keep_rate_base()
    show_run(link.run_id)
    st.session_state[PROBLEMS_KEY] = link.problems
    # Last: a page's next message may cut this short at each access to the session, and the link is read again.
    st.session_state[READ_KEY] = True


def write_link() -> None:
    """Put every setting and the run shown into the address, and whether a room looks at it."""
    presented = {PRESENT_PARAMETER: PRESENTED} if PRESENT.get() else {}
    is_usual = SCALING_VIEW.get() is SCALING_VIEW.usual
    measures = {} if is_usual else {SCALING_PARAMETER: SCALING_VIEW.get().value}
    each = {BATCH_PARAMETER: str(ReplicaBatch().get())} if REPLICA_BATCH.get() else {}
    query = query_of(wanted_settings(), st.session_state[RUN_KEY]) | presented | measures | each
    # Each time that it is written is a step of the browser's history.
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def query_of(config: RunConfig, run_id: str | None) -> dict[str, str]:
    """The query that shows a run (where there is one) with these settings."""
    return config.to_query() | ({RUN_PARAMETER: run_id} if run_id else {})


def address(config: RunConfig, run_id: str | None) -> str:
    """The shortest link to a run, whose settings come with it, or else to settings."""
    page = urlsplit(st.context.url or "")
    # Of the first page Streamlit takes the last slash away, behind which a proxy's path has it.
    path = page.path if (PAGES / page.path.rpartition("/")[2]).with_suffix(".py").is_file() else f"{page.path}/"
    query = {RUN_PARAMETER: run_id} if run_id else short_query(config)
    return urlunsplit((page.scheme, page.netloc, path, urlencode(query), ""))


def short_query(config: RunConfig) -> dict[str, str]:
    """The query for these settings without what is usual, but for what each machine chooses by itself."""
    named = config.changes_from(RunConfig()).keys() | set(HAVE_A_COLUMN)
    return {name: value for name, value in config.to_query().items() if name in named}
