"""What trains here in the place of an engine that a link or a run names and this machine does not have."""

from dpdash.core.config import EngineName, RunConfig
from dpdash.runs.service import RunSnapshot
from dpdash.training import catalog
from dpdash.ui.parts.button import button
from dpdash.ui.parts.notices import show_warnings
from dpdash.ui.session.language import _, current, number
from dpdash.ui.session.shown_run import is_shown_by_teacher
from dpdash.ui.session.state import wanted_settings
from dpdash.ui.train import commands
from dpdash.web.process import run_service


def show_substitute(shown: RunSnapshot | None) -> None:
    """Say what the settings ask for in vain, before Start does, with a button that trains the nearest to it."""
    wanted = wanted_settings()
    problem = catalog.engine(wanted.engine).availability(wanted).problem
    if problem is None:
        return
    nearest = catalog.nearest(wanted)
    show_warnings([problem])
    button(
        _name(nearest),
        "substitute",
        "play_arrow",
        lambda: commands.start_nearest(nearest),
        disabled=is_shown_by_teacher(shown) or run_service().room.is_frozen,
    )


def _name(config: RunConfig) -> str:
    if config.engine is EngineName.CPU_REPLICAS:
        return _("Train on {replicas} emulated replicas").format(replicas=number(config.replicas))
    return _("Train with {engine}").format(engine=current().engine(config))
