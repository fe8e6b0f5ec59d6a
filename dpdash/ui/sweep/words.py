"""What settings, values, objectives and trials are called, on the page and in its figures."""

from typing import Final

from dpdash.charts.sweep import Words
from dpdash.core.config import OptimizerName, RunConfig
from dpdash.core.errors import N_
from dpdash.core.sweep import Objective, SweepPlan, TrialStatus
from dpdash.core.sweep_axis import Value
from dpdash.core.translations import Language
from dpdash.ui.parts.sidebar import OPTIMIZER_NAMES
from dpdash.ui.session.language import _, current

SMALLEST_WRITTEN: Final = 1e-4
"""Below, a number is written with a power of ten."""
OBJECTIVE_NAMES: Final = {
    Objective.FINAL_LOSS: N_("final loss above the optimum"),
    Objective.EPOCHS_TO_REACH: N_("epochs to 1.05 × the noise floor"),
    Objective.SECONDS_TO_REACH: N_("seconds to 1.05 × the noise floor"),
}
STATUS_NAMES: Final = {
    TrialStatus.RUNNING: N_("training"),
    TrialStatus.COMPLETE: N_("complete"),
    TrialStatus.NOT_REACHED: N_("not reached"),
    TrialStatus.DIVERGED: N_("diverged"),
    TrialStatus.PRUNED: N_("stopped early"),
    TrialStatus.STOPPED: N_("stopped"),
    TrialStatus.FAILED: N_("failed"),
}


def setting_title(setting: str, language: Language | None = None) -> str:
    """A setting's name in the reader's language."""
    return (language or current()).text(RunConfig.model_fields[setting].title or setting)


def value_text(value: Value, language: Language | None = None) -> str:
    """A setting's value in the reader's language."""
    spoken = language or current()
    if isinstance(value, str):
        return spoken.text(OPTIMIZER_NAMES[OptimizerName(value)])
    # What a person typed is written as it is; what a search drew from a range has too many digits for that.
    is_short = float(f"{value:.3g}") == value and value >= SMALLEST_WRITTEN
    return spoken.setting(value) if isinstance(value, int) or is_short else spoken.number(value)


def named(setting: str, value: Value) -> str:
    """A setting with its value."""
    return _("{setting} {value}").format(setting=setting_title(setting).lower(), value=value_text(value))


def words(plan: SweepPlan, language: Language) -> Words:
    """What the figures of a sweep are written with."""
    return Words(
        text=language.text,
        separators=language.separators,
        settings={setting: setting_title(setting, language) for setting in plan.settings},
        value=lambda value: value_text(value, language),
        objective=language.text(OBJECTIVE_NAMES[plan.objective]),
        statuses={status: language.text(name) for status, name in STATUS_NAMES.items()},
    )


def others_text(base: RunConfig, searched: tuple[str, ...]) -> str:
    """The settings that all trials share, in a line."""
    shown = ["samples", "noise", "seed", "epochs", "learning_rate", "optimizer"]
    shown += ["global_batch_size"] if base.global_batch_size is not None else []
    shown += ["replicas"] if base.replicas > 1 else []
    shown += ["hidden_depth", "hidden_width"] if base.hidden_depth else []
    return " · ".join(named(setting, getattr(base, setting)) for setting in shown if setting not in searched)
