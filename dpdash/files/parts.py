"""What each part of an exported file may hold, field by field."""

from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dpdash.core.config import bounds
from dpdash.core.errors import N_, DpdashError, RunFileError
from dpdash.core.events import RunStatus, StopReason
from dpdash.core.validation import sentence, shown
from dpdash.files.bounds import MOST_DEVICES, MOST_PART_ROWS
from dpdash.store.query import MOST_TAGS

LOWEST_EPOCH, HIGHEST_EPOCH = (int(bound) for bound in bounds("epochs"))
MOST_SAMPLES: Final = int(bounds("samples")[1])
MOST_TURNS: Final = 100

Epoch = Annotated[int, Field(ge=LOWEST_EPOCH, le=HIGHEST_EPOCH)]
Count = Annotated[int, Field(ge=0, le=HIGHEST_EPOCH)]
Seconds = Annotated[float, Field(ge=0)]
StepSeconds = Annotated[float, Field(ge=1e-9, le=1e6)]
Column = Annotated[list[Any], Field(min_length=1, max_length=MOST_PART_ROWS)]
"""Its numbers are checked all at once, by numpy."""

_UNKNOWN: Final = N_(
    "There is no field {field} in part {part} of the file as this dpdash knows it. Export the run with the "
    "same version."
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class HeadPart(_Part):
    """What the file is."""

    format: Literal["dpdash runs"]
    version: Literal[1]


class TurnPart(_Part):
    """Seconds of a step on the replicas and beside them."""

    replicas: StepSeconds
    one_device: StepSeconds
    whole_cpu: StepSeconds | None = None


class TurnsPart(_Part):
    """What a step took before the first epoch."""

    turns: Annotated[list[TurnPart], Field(min_length=1, max_length=MOST_TURNS)]
    is_on_gpus: bool = False


class StartedPart(_Part):
    """Where the run was trained."""

    started_at: float
    devices: Annotated[list[str], Field(max_length=MOST_DEVICES)]
    shard_sizes: Annotated[list[Annotated[int, Field(ge=0, le=MOST_SAMPLES)]], Field(max_length=MOST_DEVICES)]
    emulated: bool
    one_device_step_seconds: Seconds | None = None
    replicas_step_seconds: Seconds | None = None
    turns: TurnsPart | None = None


class EndedPart(_Part):
    """How the run ended; which fields there are depends on the kind."""

    kind: Literal["RunFinished", "RunStopped", "RunDiverged", "RunFailed"]
    num_epochs: Count
    seconds: Seconds = 0.0
    slope: float | None = None
    intercept: float | None = None
    reason: StopReason = StopReason.ASKED
    epoch: Epoch = LOWEST_EPOCH
    message: str = ""


class RunPart(_Part):
    """A run without its epochs."""

    id: str
    name: str | None = None
    note: str = ""
    tags: Annotated[list[str], Field(max_length=MOST_TAGS)] = []
    status: RunStatus
    created_at: float
    ended_at: float | None = None
    is_complete: bool = True
    is_imported: bool = False
    config: dict[str, Any]
    started: StartedPart | None = None
    ended: EndedPart | None = None


class ChangePart(_Part):
    """From an epoch on, another learning rate."""

    epoch: Epoch
    learning_rate: float


class ChangesPart(_Part):
    """Learning rates, in the order in which they were set."""

    learning_rate_changes: Annotated[list[ChangePart], Field(max_length=MOST_PART_ROWS)]


class DataPart(_Part):
    """The next rows of the run's own data."""

    x: Column
    y: Column


class RowsPart(_Part):
    """Consecutive epochs in columns of one length."""

    first_epoch: Epoch
    single_precision: Annotated[
        list[Literal["loss", "slope", "intercept", "learning_rate", "seconds"]], Field(max_length=5)
    ]
    """The columns whose numbers are float32; those of the others are float64."""
    loss: Column
    slope: Column
    intercept: Column
    learning_rate: Column
    seconds: Column


PartModel = TypeVar("PartModel", bound=_Part)


def checked(model: type[PartModel], values: object, part: int) -> PartModel:
    """The values of a part as its model has them.

    Raises:
        RunFileError: with one sentence, for the first field that is not allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        field = ".".join(str(step) for step in detail["loc"])
        if detail["type"] == "extra_forbidden":
            raise RunFileError(_UNKNOWN, field=shown(field), part=part) from None
        template, words = sentence(detail)
        raise refused(field, part, template, **words) from None


def refused(field: str, part: int, template: str, **words: object) -> RunFileError:
    """That a field is not as the rule in the template wants it."""
    place = DpdashError(N_("{field} in part {part} of the file"), field=shown(field), part=part)
    return RunFileError(template, setting=place, way_out=DpdashError(N_("Correct it, or export again.")), **words)
