"""What runs and sweeps that are saved are called, and in what runs differ."""

from collections.abc import Sequence

from dpdash.core.config import FIELD_NAMES
from dpdash.core.learning_rates import moves
from dpdash.core.sweep import SweepPlan
from dpdash.core.translations import HAVE_A_COLUMN
from dpdash.store.store import RunRecord
from dpdash.sweeps.presets import PRESETS, PresetName
from dpdash.ui.session.language import _, current


def name_of(record: RunRecord) -> str:
    """What a person calls a run, else the name that it has by itself."""
    return record.name or current().run_name(record.config, record.learning_rate_changes)


def names_of(records: Sequence[RunRecord]) -> list[str]:
    """Names for runs side by side: what a person calls each, else in what it differs from the others."""
    different = differing(records)
    given = [record.name for record in records]
    return [
        record.name
        if record.name and given.count(record.name) == 1
        else " · ".join(filter(None, (record.name, _in_brief(record, different)))) or name_of(record)
        for record in records
    ]


def sweep_title(plan: SweepPlan) -> str:
    """What a sweep searches over."""
    if plan.preset in tuple(PresetName):
        return _(PRESETS[PresetName(plan.preset)].title)
    return " × ".join(current().title(setting) for setting in plan.settings)


def value_of(record: RunRecord, setting: str) -> str:
    """A run's setting; a learning rate with how it was moved."""
    return current().value_of(setting, record.config, record.learning_rate_changes)


def differing(records: Sequence[RunRecord]) -> tuple[str, ...]:
    """The settings in which some of the runs differ; a learning rate that was moved is another one."""
    return tuple(name for name in FIELD_NAMES if len({_identity(record, name) for record in records}) > 1)


def _identity(record: RunRecord, setting: str) -> object:
    value = getattr(record.config, setting)
    return (value, moves(record.config, record.learning_rate_changes)) if setting == "learning_rate" else value


def _in_brief(record: RunRecord, settings: Sequence[str]) -> str:
    texts = [current().in_brief(record.config, record.learning_rate_changes, settings)]
    if set(settings) & set(HAVE_A_COLUMN):
        texts.append(current().engine(record.config))
    return " · ".join(filter(None, texts))
