"""What runs are called, and their settings, in the reader's language."""

from collections.abc import Sequence
from typing import Any, Final

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.store.store import RunRecord
from dpdash.ui.parts.sidebar import ENGINE_NAMES, OPTIMIZER_NAMES
from dpdash.ui.session.language import _, setting

USUAL: Final = RunConfig()
WITH_REPLICAS: Final = ("engine", "replicas")
"""The settings that a column of their own shows."""


def name_of(record: RunRecord) -> str:
    """What a person calls a run, else the name that it has by itself."""
    return record.name or automatic_name(record.config)


def automatic_name(config: RunConfig) -> str:
    """What is not as usual in a run's settings, except for engine and replicas."""
    changes = config.changes_from(USUAL)
    parts = [f"{title(name).lower()} {value_of(name, config)}" for name in changes if name not in WITH_REPLICAS]
    return " · ".join(parts) or _("usual settings")


def names_of(records: Sequence[RunRecord]) -> list[str]:
    """Names for runs side by side: those that are called the same are told apart by engine and replicas."""
    names = [name_of(record) for record in records]
    return [
        name if names.count(name) == 1 else f"{name} · {engine_of(record.config)}"
        for name, record in zip(names, records, strict=True)
    ]


def engine_of(config: RunConfig) -> str:
    """The engine and its replicas; an emulated one says so."""
    name = _(ENGINE_NAMES[config.engine])
    return name if config.engine is EngineName.SINGLE else f"{name} × {setting(config.replicas)}"


def title(name: str) -> str:
    """A setting's title."""
    return _(RunConfig.model_fields[name].title or name)


def value_of(name: str, config: RunConfig) -> str:
    """A setting's value as the page writes it."""
    value: Any = getattr(config, name)
    if value is None:
        return _("all")
    if isinstance(value, OptimizerName):
        return _(OPTIMIZER_NAMES[value])
    if isinstance(value, EngineName):
        return _(ENGINE_NAMES[value])
    return setting(value)


def differing(configs: Sequence[RunConfig]) -> tuple[str, ...]:
    """The settings in which some of the configs differ."""
    return tuple(name for name in RunConfig.model_fields if len({getattr(config, name) for config in configs}) > 1)
