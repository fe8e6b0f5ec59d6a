"""What each part of an exported file may hold, field by field, and the sentence for what it may not."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from dpdash.core.config import bounds, shown
from dpdash.core.errors import N_, RunFileError
from dpdash.core.events import RunStatus, StopReason
from dpdash.files.bounds import MOST_DEVICES, MOST_PART_ROWS
from dpdash.store.query import MOST_TAGS

LOWEST_EPOCH, HIGHEST_EPOCH = (int(bound) for bound in bounds("epochs"))
MOST_SAMPLES: Final = int(bounds("samples")[1])

Epoch = Annotated[int, Field(ge=LOWEST_EPOCH, le=HIGHEST_EPOCH)]
Count = Annotated[int, Field(ge=0, le=HIGHEST_EPOCH)]
Seconds = Annotated[float, Field(ge=0)]
Column = Annotated[list[Any], Field(min_length=1, max_length=MOST_PART_ROWS)]
"""Its numbers are checked all at once, by numpy."""

MISSING: Final = N_("{field} is missing in part {part} of the file. Export the run again with dpdash.")
UNKNOWN: Final = N_(
    "There is no field {field} in part {part} of the file as this dpdash knows it. Export the run with the "
    "same version."
)
OTHER: Final = N_(
    "{field} in part {part} of the file is not as dpdash writes it. Received: {received}. Export the run again."
)
_RULES: Final[Mapping[str, str]] = {
    "missing": MISSING,
    "extra_forbidden": UNKNOWN,
    "number": N_(
        "{field} in part {part} of the file must be a number. Received: {received}. Correct it, or export again."
    ),
    "whole": N_(
        "{field} in part {part} of the file must be a whole number. Received: {received}. Correct it, or "
        "export again."
    ),
    "text": N_(
        "{field} in part {part} of the file must be a text. Received: {received}. Correct it, or export again."
    ),
    "yes_or_no": N_(
        "{field} in part {part} of the file must be true or false. Received: {received}. Correct it, or "
        "export again."
    ),
    "list": N_(
        "{field} in part {part} of the file must be a list. Received: {received}. Correct it, or export again."
    ),
    "object": N_(
        "{field} in part {part} of the file must be an object. Received: {received}. Correct it, or export again."
    ),
    "choice": N_(
        "{field} in part {part} of the file must be one of {choices}. Received: {received}. Correct it, or export "
        "again."
    ),
    "least": N_(
        "{field} in part {part} of the file must be at least {limit}. Received: {received}. Correct it, or export "
        "again."
    ),
    "most": N_(
        "{field} in part {part} of the file must be at most {limit}. Received: {received}. Correct it, or export "
        "again."
    ),
    "longest": N_(
        "{field} in part {part} of the file may have at most {limit} entries. Received: {received}. Export "
        "again with dpdash."
    ),
}
_RULE_OF_ERROR: Final[Mapping[str, str]] = {
    "missing": "missing",
    "extra_forbidden": "extra_forbidden",
    "finite_number": "number",
    "float_type": "number",
    "float_parsing": "number",
    "int_type": "whole",
    "int_parsing": "whole",
    "int_parsing_size": "whole",
    "int_from_float": "whole",
    "string_type": "text",
    "bool_type": "yes_or_no",
    "bool_parsing": "yes_or_no",
    "list_type": "list",
    "tuple_type": "list",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "enum": "choice",
    "literal_error": "choice",
    "greater_than_equal": "least",
    "less_than_equal": "most",
    "too_long": "longest",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class HeadPart(_Part):
    """What the file is."""

    format: Literal["dpdash runs"]
    version: Literal[1]


class StartedPart(_Part):
    """Where the run was trained."""

    started_at: float
    devices: Annotated[list[str], Field(max_length=MOST_DEVICES)]
    shard_sizes: Annotated[list[Annotated[int, Field(ge=0, le=MOST_SAMPLES)]], Field(max_length=MOST_DEVICES)]
    emulated: bool
    one_device_step_seconds: Seconds | None = None
    replicas_step_seconds: Seconds | None = None


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
        raise _problem(error.errors(include_url=False)[0], part) from None


def _problem(detail: ErrorDetails, part: int) -> RunFileError:
    context = detail.get("ctx", {})
    field = shown(".".join(str(step) for step in detail["loc"]))
    rule = _RULES.get(_RULE_OF_ERROR.get(detail["type"], ""), OTHER)
    limit = next((context[name] for name in ("ge", "le", "max_length") if name in context), None)
    received = context.get("actual_length", detail["input"])
    return RunFileError(
        rule, field=field, part=part, received=shown(received), limit=limit, choices=context.get("expected", "")
    )
