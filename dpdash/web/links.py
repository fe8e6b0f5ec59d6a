"""What an address asks for: settings, and a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.errors import N_, DpdashError, SettingError
from dpdash.core.limits import Limits
from dpdash.core.validation import readable, shown
from dpdash.training import catalog
from dpdash.training.hardware import missing_gpus
from dpdash.web.long_links import COUNT_PARAMETER, KNOWN, MOST_PARAMETERS, RUN_PARAMETER, is_added, too_many

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


def parse_query(query: Mapping[str, list[str]], limits: Limits) -> Link:
    """What a link asks for: allowed settings, a run, and one sentence for each thing that is not allowed.

    What the link leaves out is this machine's choice, so that a first visit shows the machine's parallelism.
    """
    wanted: dict[str, Any] = readable({name: values[-1] for name, values in query.items() if not is_added(name)})
    run_id = wanted.pop(RUN_PARAMETER, None) or None
    number = too_many(wanted.get(COUNT_PARAMETER, ""))
    if number is not None:
        del wanted[COUNT_PARAMETER]
    own_data = wanted.pop("data", None)
    config, problems = RunConfig.parse_partly(_with_machine_defaults(wanted))
    missing = missing_gpus(config)
    if missing is not None:
        config = config.model_copy(update={"devices": None})
    taken = wanted.keys() - {problem.setting for problem in problems}
    exceeding = (problem for problem in limits.problems(config) if problem.setting in taken)
    found = (
        *_own_data(own_data),
        *_too_many(number),
        *_repeated(query),
        *problems,
        *exceeding,
        *([missing] if missing else []),
    )
    return Link(limits.narrowed(config), run_id, _bounded(found))


def _with_machine_defaults(wanted: Mapping[str, Any]) -> dict[str, Any]:
    offer = catalog.offer()
    usual = offer.num_gpus if offer.num_gpus > 1 else min(EMULATED_REPLICAS, offer.max_replicas)
    replicas = wanted.get("replicas", usual)
    if "engine" in wanted:
        # Where no number is said, an engine that spreads the work is not meant to be one of one.
        return dict(wanted) if wanted["engine"] == EngineName.SINGLE else {**wanted, "replicas": replicas}
    try:
        engine = offer.engine_for(int(replicas))
    except ValueError:
        engine = offer.engine_for(usual)
    return {**wanted, "replicas": replicas, "engine": engine}


def _own_data(received: str | None) -> tuple[DpdashError, ...]:
    if received is None:
        return ()
    template = N_("A link cannot bring own data. Received: {received}. Open the page and choose the file there.")
    return (DpdashError(template, received=shown(received)),)


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
