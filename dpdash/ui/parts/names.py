"""What runs that are saved are called, and in what they differ."""

from collections.abc import Sequence

from dpdash.core.config import RunConfig
from dpdash.store.store import RunRecord
from dpdash.ui.session.language import current


def name_of(record: RunRecord) -> str:
    """What a person calls a run, else the name that it has by itself."""
    return record.name or current().run_name(record.config)


def names_of(records: Sequence[RunRecord]) -> list[str]:
    """Names for runs side by side: those that are called the same are told apart by engine and replicas."""
    names = [name_of(record) for record in records]
    return [
        name if names.count(name) == 1 else f"{name} · {current().engine(record.config)}"
        for name, record in zip(names, records, strict=True)
    ]


def differing(configs: Sequence[RunConfig]) -> tuple[str, ...]:
    """The settings in which some of the configs differ."""
    return tuple(name for name in RunConfig.model_fields if len({getattr(config, name) for config in configs}) > 1)
