"""What the states of a run are called."""

from typing import Final

from dpdash.core.errors import N_
from dpdash.core.events import RunStatus

STATUS_NAMES: Final = {
    RunStatus.WAITING: N_("waiting"),
    RunStatus.RUNNING: N_("running"),
    RunStatus.PAUSED: N_("paused"),
    RunStatus.FINISHED: N_("finished"),
    RunStatus.DIVERGED: N_("diverged"),
    RunStatus.STOPPED: N_("stopped"),
    RunStatus.FAILED: N_("failed"),
    RunStatus.INTERRUPTED: N_("interrupted"),
}
