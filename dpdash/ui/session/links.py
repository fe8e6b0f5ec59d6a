"""Settings and run in the page's address.

The query is read once a session and written whole before each run of the page; `bind="query-params"` would keep
formatted labels and drop defaults.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from dpdash.core.config import RunConfig
from dpdash.core.errors import N_, DpdashError, SettingError
from dpdash.core.limits import Limits
from dpdash.core.validation import readable
from dpdash.training import catalog
from dpdash.ui.session.state import put_settings, settle_settings, wanted_settings
from dpdash.web.long_links import COUNT_PARAMETER, KNOWN, MOST_PARAMETERS, RUN_PARAMETER, too_many
from dpdash.web.process import run_service
from dpdash.web.streamlit_internals.push import RUN_KEY

READ_KEY: Final = "link_was_read"
PROBLEMS_KEY: Final = "link_problems"
MAX_PROBLEMS: Final = 5
EMULATED_REPLICAS: Final = 2
"""A machine without GPUs opens with two CPU replicas: the fewest that show what is parallel."""


@dataclass(frozen=True)
class Link:
    """What a link asks for."""

    config: RunConfig
    run_id: str | None
    problems: tuple[DpdashError, ...]
    """What could not be taken as it was, one sentence each."""


def read_link() -> None:
    """Take settings and run from the address, once a session; what is wrong with them is kept to be shown."""
    if READ_KEY in st.session_state:
        return
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    link = parse_query(query, run_service().limits)
    put_settings(link.config)
    st.session_state[RUN_KEY] = link.run_id
    st.session_state[PROBLEMS_KEY] = link.problems
    # Last: a page's next message may cut this short at each access to the session, and the link is read again.
    st.session_state[READ_KEY] = True


def parse_query(query: Mapping[str, list[str]], limits: Limits) -> Link:
    """What a link asks for: allowed settings, a run, and one sentence for each thing that is not allowed.

    What the link leaves out is this machine's choice, so that a first visit shows the machine's parallelism.
    """
    wanted: dict[str, Any] = readable({name: values[-1] for name, values in query.items()})
    run_id = wanted.pop(RUN_PARAMETER, None) or None
    number = too_many(wanted.get(COUNT_PARAMETER, ""))
    if number is not None:
        del wanted[COUNT_PARAMETER]
    config, problems = RunConfig.parse_partly(_with_machine_defaults(wanted))
    taken = wanted.keys() - {problem.setting for problem in problems}
    exceeding = (problem for problem in limits.problems(config) if problem.setting in taken)
    found = (*_too_many(number), *_repeated(query), *problems, *exceeding)
    return Link(limits.narrowed(config), run_id, _bounded(found))


def write_link() -> None:
    """Put every setting and the run shown into the address."""
    settle_settings()
    st.query_params.from_dict(query_of(wanted_settings(), st.session_state[RUN_KEY]))


def query_of(config: RunConfig, run_id: str | None) -> dict[str, str]:
    """The query that shows a run (where there is one) with these settings."""
    return config.to_query() | ({RUN_PARAMETER: run_id} if run_id else {})


def address(config: RunConfig, run_id: str | None = None) -> str:
    """The full link to these settings, or to a run."""
    page = urlsplit(st.context.url or "")
    return urlunsplit((page.scheme, page.netloc, page.path or "/", urlencode(query_of(config, run_id)), ""))


def _with_machine_defaults(wanted: Mapping[str, Any]) -> dict[str, Any]:
    offer = catalog.offer()
    if "engine" in wanted:
        return dict(wanted)
    usual = offer.num_gpus if offer.num_gpus > 1 else min(EMULATED_REPLICAS, offer.max_replicas)
    replicas = wanted.get("replicas", usual)
    try:
        engine = offer.engine_for(int(replicas))
    except ValueError:
        engine = offer.engine_for(usual)
    return {**wanted, "replicas": replicas, "engine": engine}


def _too_many(number: int | None) -> tuple[DpdashError, ...]:
    if number is None:
        return ()
    template = N_("A link can have at most {limit} parameters. Received: {received}. Try it with settings alone.")
    return (DpdashError(template, limit=MOST_PARAMETERS, received=number),)


def _repeated(query: Mapping[str, list[str]]) -> tuple[DpdashError, ...]:
    template = N_("{setting} stands in the link {received} times. The last one is used.")
    return tuple(
        SettingError(name, template, received=len(values))
        for name, values in query.items()
        if len(values) > 1 and name in KNOWN
    )


def _bounded(problems: Iterable[DpdashError]) -> tuple[DpdashError, ...]:
    """The first few problems and how many more there are: a link can hold a thousand."""
    found = tuple(problems)
    if len(found) <= MAX_PROBLEMS:
        return found
    rest = len(found) - MAX_PROBLEMS
    return (*found[:MAX_PROBLEMS], DpdashError(N_("The link has {rest} more such problems."), rest=rest))
