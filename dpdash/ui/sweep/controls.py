"""What a sweep is to search, laid out by hand, with its buttons."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import streamlit as st

from dpdash.core.config import DDP_ONLY, OptimizerName, RunConfig
from dpdash.core.errors import ConfigError, DpdashError
from dpdash.core.sweep import MOST_SETTINGS, Objective, SearchMethod, SweepPlan
from dpdash.core.sweep_axis import SEARCHABLE, Axis
from dpdash.sweeps.live import SweepSnapshot
from dpdash.sweeps.presets import PRESETS, PresetName
from dpdash.ui.parts.button import button
from dpdash.ui.parts.controls import choice, several, slider, text_input, toggle
from dpdash.ui.parts.notices import escaped
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.language import _, current, error_text, number
from dpdash.ui.session.shown_run import settings_to_begin_with
from dpdash.ui.train import commands

LONGEST_TEXT: Final = 200
MOST_TRIALS: Final = 200
"""That a page offers; the command line takes more."""
USUAL_VALUES: Final = {
    "learning_rate": "0.001..1",
    "global_batch_size": "10, 100, 1000",
    "samples": "100, 1000, 10000",
    "noise": "0.1, 0.5, 2",
    "seed": "0, 1, 2, 3, 4",
    "epochs": "100, 500",
    "hidden_width": "8, 64",
    "hidden_depth": "0, 1",
    "replicas": "1, 2",
    "warmup_epochs": "0, 5, 20",
    "bucket_cap_mb": "0.05, 0.25, 1",
    "accumulation_steps": "1, 2, 4",
}


class What(StrEnum):
    """The sweeps that are offered."""

    RATE_OPTIMIZER = PresetName.RATE_OPTIMIZER
    RATE_BATCH = PresetName.RATE_BATCH
    NOISE_SAMPLES = PresetName.NOISE_SAMPLES
    OWN = "own"


WHAT: Final = Input("sweep_what", What.RATE_OPTIMIZER)
SETTINGS: Final[Input[tuple[str, ...]]] = Input("sweep_settings", ("learning_rate", "optimizer"))
METHOD: Final = Input("sweep_method", SearchMethod.TPE)
OBJECTIVE: Final = Input("sweep_objective", Objective.FINAL_LOSS)
TRIALS: Final = Input("sweep_trials", 30)
PRUNES: Final = Input("sweep_prunes", True)
OPTIMIZERS: Final[Input[tuple[OptimizerName, ...]]] = Input(
    "sweep_values_optimizer", (OptimizerName.ADAM, OptimizerName.SGD)
)


@dataclass(frozen=True, slots=True)
class _Values:
    """Values to search over: typed as the reader's language writes them, and kept as every language reads them."""

    kept: Input[str]

    @property
    def name(self) -> str:
        return self.kept.name

    def get(self) -> str:
        return current().typed(self.kept.get())

    def put(self, value: str) -> None:
        self.kept.put(current().values(value))


def show_controls(searching: SweepSnapshot | None) -> None:
    """Show what to search, and Start or Stop; `searching` is this browser's own sweep."""
    names = {What(preset): _(PRESETS[preset].title) for preset in PresetName} | {
        What.OWN: _("A search of your own")
    }
    what = choice(
        WHAT,
        _("What to search"),
        names,
        help=_("Three sweeps that teach something, or settings and values of your own."),
    )
    if what is What.OWN:
        _show_own()
    else:
        preset = PRESETS[PresetName(what)]
        st.markdown(_(preset.teaches))
        st.caption(
            _("{trials} trials. All other settings: {settings}").format(
                trials=number(preset.plan.num_trials),
                settings=_others_text(preset.plan.base, preset.plan.settings),
            )
        )
    with st.container(horizontal=True, vertical_alignment="center", key="sweep_buttons"):
        if searching is None:
            button(
                _("Start"),
                "sweep_start",
                "play_arrow",
                lambda: commands.start_sweep(wanted_plan),
                type="primary",
                help=_("Train one run after another, each with other settings. They are ordinary runs."),
            )
        else:
            sweep_id = searching.sweep.sweep_id
            button(
                _("Stop"),
                "sweep_stop",
                "stop",
                lambda: commands.stop_sweep(sweep_id),
                disabled=searching.is_stopping,
                help=_("Start no further trial and end those that train. What was found stays."),
            )


def wanted_plan() -> SweepPlan:
    """What the controls ask for.

    Raises:
        ConfigError: when there is no such plan.
    """
    what = WHAT.get()
    if what is not What.OWN:
        return PRESETS[PresetName(what)].plan
    return SweepPlan.parse(
        {
            "base": settings_to_begin_with(),
            "axes": tuple(Axis.parse(setting, _wanted(setting)) for setting in _chosen()),
            "method": METHOD.get(),
            "objective": OBJECTIVE.get(),
            "trials": TRIALS.get(),
            "seed": 0,
            "prunes": PRUNES.get(),
        }
    )


def _chosen() -> list[str]:
    return [setting for setting in SEARCHABLE if setting in SETTINGS.get()]


def _wanted(setting: str) -> str:
    """The values of a setting, as `Axis.parse` reads them."""
    return ", ".join(OPTIMIZERS.get()) if setting == "optimizer" else _text(setting).get()


def _problems() -> Mapping[str, DpdashError]:
    """What is wrong with the values of each setting; with all of them together only where each is right."""
    found: dict[str, DpdashError] = {}
    for setting in _chosen():
        try:
            Axis.parse(setting, _wanted(setting))
        except ConfigError as error:
            found[setting] = error
    if not found:
        try:
            wanted_plan()
        except ConfigError as error:
            found = {one.setting: one for one in error.problems}
    return found


def _show_own() -> None:
    titles = {setting: current().title(setting) for setting in SEARCHABLE}
    chosen = several(
        SETTINGS,
        _("Settings to search over"),
        titles,
        max_selections=MOST_SETTINGS,
        help=_("The others are those of the run in Train, or of its sidebar where there is none."),
    )
    problems = _problems()
    if chosen:
        for column, setting in zip(st.columns(len(chosen)), chosen, strict=True):
            with column:
                _values(setting)
                if setting in problems:
                    st.error(escaped(error_text(problems[setting])))
    method = _search()
    with st.container(horizontal=True, key="sweep_how_many", vertical_alignment="bottom"):
        slider(
            TRIALS,
            _("Trials"),
            1,
            MOST_TRIALS,
            disabled=method is SearchMethod.GRID,
            help=_("How many runs the search may train. A grid has as many as it has combinations."),
        )
        toggle(
            PRUNES,
            _("Stop hopeless trials"),
            help=_(
                "End a trial early whose loss is above the median of the others at the same share of its epochs."
            ),
        )
    st.caption(
        _("All other settings, as the run in Train has them: {settings}").format(
            settings=_others_text(settings_to_begin_with(), chosen)
        )
    )


def _search() -> SearchMethod:
    method = choice(
        METHOD,
        _("Search"),
        {method: current().name(method) for method in SearchMethod},
        help=_(
            "Grid: every combination. Random: anywhere in the ranges. TPE: more often where the trials so far "
            "were good."
        ),
    )
    choice(
        OBJECTIVE,
        _("Objective"),
        {objective: current().name(objective) for objective in Objective},
        help=_("What the search makes as small as it can."),
    )
    return method


def _values(setting: str) -> None:
    title = current().title(setting)
    if setting == "optimizer":
        names = {optimizer: current().name(optimizer) for optimizer in OptimizerName}
        several(OPTIMIZERS, title, names, help=_("The optimizers to compare."))
        return
    text_input(
        _Values(_text(setting)),
        title,
        LONGEST_TEXT,
        help=_("Values as {values}, or a range as {range}. A grid needs values.").format(
            values=current().typed("0.01, 0.1"), range=current().typed(USUAL_VALUES["learning_rate"])
        ),
    )


def _text(setting: str) -> Input[str]:
    return Input(f"sweep_values_{setting}", USUAL_VALUES[setting])


def _others_text(base: RunConfig, searched: tuple[str, ...]) -> str:
    """The settings that all trials share, in a line."""
    of_data = ["samples", "noise"] if base.data is None else ["data"]
    shown = [*of_data, "seed", "epochs", "learning_rate", "optimizer"]
    told = base.changes_from(RunConfig())
    shown += [name for name in ("warmup_epochs", "global_batch_size", *DDP_ONLY) if name in told]
    shown += ["replicas"] if base.replicas > 1 else []
    text = current().settings(base, (setting for setting in shown if setting not in searched))
    if {"hidden_depth", "hidden_width"} & set(searched):
        return text
    return f"{current().model(base.hidden_depth, base.hidden_width)} · {text}"
