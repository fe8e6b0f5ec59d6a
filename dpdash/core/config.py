"""Everything that is needed to repeat a run, with bounds, units and help texts, once.

Sliders, the page's address, the command line and errors all read them from the fields of `RunConfig`.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, Self

from pydantic import Field, field_validator, model_validator

from dpdash.core.errors import N_, ConfigError, SettingError
from dpdash.core.own_data import OwnData
from dpdash.core.validation import Settings, readable, shown

TRUE_SLOPE: Final = 3.0
TRUE_INTERCEPT: Final = 0.0
TRUE_LINE: Final = (TRUE_SLOPE, TRUE_INTERCEPT)
X_LOW: Final = -5.0
X_HIGH: Final = 5.0
NUMBERS: Final = re.compile(r"\d{1,2}(,\d{1,2}){,63}", re.ASCII)

DDP_ONLY: Final = ("bucket_cap_mb", "accumulation_steps")
"""Settings of how ranks exchange their gradients, which other engines do not have."""


class EngineName(StrEnum):
    """The ways to train."""

    SINGLE = "single"
    DATA_PARALLEL = "data_parallel"
    CPU_REPLICAS = "cpu_replicas"
    DDP = "ddp"


class OptimizerName(StrEnum):
    """The rules that turn a gradient into an update."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"
    SGD_MOMENTUM = "sgd_momentum"
    RMSPROP = "rmsprop"


class RunConfig(Settings):
    """The settings of one run. Equal settings give equal numbers on the same kind of machine."""

    samples: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=10_000,
        title=N_("Samples"),
        description=N_(
            "Number of points (x, y) to train on. More points average the noise out and make an epoch take longer."
        ),
    )
    noise: Annotated[float, Field(ge=0, le=100)] = Field(
        default=0.5,
        title=N_("Noise"),
        description=N_(
            "Standard deviation of the noise added to y, in units of y. More noise raises the loss that no line "
            "can beat, noise², and makes the slope less certain."
        ),
    )
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        default=0,
        title=N_("Seed"),
        description=N_(
            "Number that the data and the initial weights are drawn from. The same seed gives the same numbers; a "
            "higher one is just another draw."
        ),
    )
    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=500,
        title=N_("Epochs"),
        description=N_(
            "Passes over all the data. More passes bring the line closer to the best one and take longer."
        ),
    )
    learning_rate: Annotated[float, Field(ge=1e-6, le=10)] = Field(
        default=0.01,
        title=N_("Learning rate"),
        description=N_(
            "Size of each update. Higher learns in fewer epochs, until the updates overshoot and the loss grows "
            "instead of falling."
        ),
    )
    optimizer: OptimizerName = Field(
        default=OptimizerName.ADAM,
        title=N_("Optimizer"),
        description=N_(
            "Rule that turns a gradient into an update. Adam scales each parameter's steps by itself; SGD takes "
            "the gradient as it is."
        ),
    )
    warmup_epochs: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0,
        title=N_("Warm-up epochs"),
        description=N_(
            "First epochs, in which the learning rate rises step by step to the one that is set. More of them let "
            "a high learning rate begin gently; 0 is none."
        ),
    )
    global_batch_size: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None,
        examples=[100],
        title=N_("Global batch size"),
        description=N_(
            "Samples in one update, over all replicas; empty means all of them. A higher number gives fewer, "
            "smoother updates an epoch."
        ),
    )
    engine: EngineName = Field(
        default=EngineName.SINGLE,
        title=N_("Engine"),
        description=N_(
            "Way to train: on one device, with torch's DataParallel on GPUs, with the same algorithm emulated on "
            "the CPU, or with DistributedDataParallel, a process for each replica."
        ),
    )
    replicas: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1,
        title=N_("Replicas"),
        description=N_(
            "Copies of the model, each on one GPU (or CPU thread), that share every batch. More replicas get "
            "smaller shards and have more to copy."
        ),
    )
    devices: (
        Annotated[tuple[Annotated[int, Field(ge=0, le=63)], ...], Field(min_length=1, max_length=64)] | None
    ) = Field(
        default=None,
        examples=["0,1"],
        title=N_("Devices"),
        description=N_(
            "Numbers of the GPUs to train on, one for each replica; empty means the first ones. The first of them "
            "leads. Choose those that nobody else uses."
        ),
    )
    bucket_cap_mb: Annotated[float, Field(ge=0.0005, le=1024)] | None = Field(
        default=None,
        examples=[0.5],
        title=N_("Bucket size"),
        description=N_(
            "MiB of gradient that DDP gathers before it exchanges them; empty means torch's own: 1 for the first "
            "exchange, 25 for each later one. A higher number gives fewer exchanges, which begin later."
        ),
    )
    accumulation_steps: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1,
        title=N_("Micro-batches"),
        description=N_(
            "Parts of a batch that DDP works out one after the other, with one exchange and one update for all of "
            "them. More of them take less memory at once; the update is the same."
        ),
    )
    hidden_width: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=64,
        title=N_("Hidden width"),
        description=N_(
            "Units in each hidden layer. More units make a step heavier, so that splitting it begins to pay."
        ),
    )
    hidden_depth: Annotated[int, Field(ge=0, le=8)] = Field(
        default=0,
        title=N_("Hidden layers"),
        description=N_(
            "Hidden layers between x and y; 0 is the straight line itself. More layers make a step heavier."
        ),
    )

    data: OwnData | None = Field(
        default=None,
        title=N_("Own data"),
        description=N_(
            "Table of x and y that is trained on instead of points around y = 3x. Its line is known to nobody "
            "beforehand: the least-squares line is what training can reach."
        ),
    )

    @field_validator("devices", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        """As a link and a command line have them: `0,2`."""
        if not isinstance(value, str):
            return value
        if not NUMBERS.fullmatch(value):
            template = N_(
                "{setting} must be numbers of GPUs with commas between them. Received: {received}. Try 0,1."
            )
            raise SettingError("devices", template, received=shown(value))
        return value.split(",")

    @model_validator(mode="after")
    def _devices_fit(self) -> Self:
        if self.devices is None:
            return self
        received = _as_text(self.devices)
        if len(set(self.devices)) < len(self.devices):
            template = N_("{setting} must be different GPUs. Received: {received}. Name each once.")
            raise SettingError("devices", template, received=received)
        if self.engine is EngineName.CPU_REPLICAS:
            template = N_("{setting} are GPUs, and {engine} trains on none. Received: {received}. Leave them out.")
            raise SettingError("devices", template, received=received, engine=self.engine)
        if len(self.devices) != self.replicas:
            template = N_(
                "{setting} must be as many as the replicas, {limit}. Received: {received}. "
                "Leave them out for the first ones."
            )
            raise SettingError("devices", template, received=received, limit=self.replicas)
        return self

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        if self.engine is EngineName.SINGLE and self.replicas != 1:
            raise SettingError(
                "replicas",
                N_("{setting} must be 1 with the engine {engine}. Received: {received}. Try the engine {hint}."),
                engine=EngineName.SINGLE,
                hint=EngineName.CPU_REPLICAS,
                received=self.replicas,
            )
        if self.global_batch_size is not None and self.global_batch_size > self.samples:
            raise SettingError(
                "global_batch_size",
                N_(
                    "{setting} must be at most the number of samples, {limit}. Received: {received}. "
                    "Try {limit}, or leave it out."
                ),
                received=self.global_batch_size,
                limit=self.samples,
            )
        if self.data is not None and self.samples != self.data.rows:
            raise SettingError(
                "samples",
                N_("{setting} of own data are its rows, {limit}. Received: {received}. Leave it out."),
                received=self.samples,
                limit=self.data.rows,
            )
        if self.data is not None and self.noise:
            raise SettingError(
                "noise",
                N_("{setting} cannot be added to own data, which has its own. Received: {received}. Try 0."),
                received=self.noise,
            )
        return self

    @model_validator(mode="after")
    def _exchange_is_ddps(self) -> Self:
        if self.engine is EngineName.DDP:
            return self
        template = N_(
            "{setting} is a setting of the engine {hint} alone. Received: {received} with the engine {engine}. "
            "Leave it out, or try the engine {hint}."
        )
        values = {name: getattr(self, name) for name in DDP_ONLY}
        problems = tuple(
            SettingError(name, template, received=value, engine=self.engine, hint=EngineName.DDP)
            for name, value in values.items()
            if value != type(self).model_fields[name].default
        )
        if problems:
            raise ConfigError(problems)
        return self

    @classmethod
    def typed_names(cls) -> tuple[str, ...]:
        """The settings that are a number or a choice, which own data is not."""
        return tuple(name for name in cls.model_fields if name != "data")

    @property
    def true_line(self) -> tuple[float, float] | None:
        """Slope and intercept that the data was made with; None for own data, of which nobody knows them."""
        return TRUE_LINE if self.data is None else None

    def on(self, data: OwnData) -> Self:
        """The same settings for own data: its rows, and no noise that was added."""
        size = self.global_batch_size
        changes = {"data": data, "samples": data.rows, "noise": 0.0}
        if size is not None and size >= data.rows:
            changes["global_batch_size"] = None
        return self.model_copy(update=changes)

    def on_drawn(self) -> Self:
        """The same settings for points that are drawn around y = 3x."""
        drawn = type(self)()
        size = self.global_batch_size
        changes = {"data": None, "samples": drawn.samples, "noise": drawn.noise}
        if size is not None and size >= drawn.samples:
            changes["global_batch_size"] = None
        return self.model_copy(update=changes)

    @classmethod
    def parse_partly(cls, values: Mapping[str, Any]) -> tuple[Self, tuple[SettingError, ...]]:
        """Build a config from the values that are allowed, and say what is wrong with the others."""
        remaining = readable(values)
        problems: list[SettingError] = []
        while True:
            try:
                return cls.parse(remaining), tuple(problems)
            except ConfigError as error:
                problems.extend(error.problems)
                for problem in error.problems:
                    remaining.pop(problem.setting, None)  # a list may have several

    def changes_from(self, other: Self) -> dict[str, Any]:
        """The settings in which this config differs from another one, with this one's values."""
        return {name: value for name, value in self if value != getattr(other, name)}

    def to_query(self) -> dict[str, str]:
        """Every setting as text for the page's address; one that is not set is left out, and so is own data."""
        stays_here = {"data"} if self.data is None else {"data", "samples", "noise"}
        values = self.model_dump(mode="json", exclude_none=True, exclude=stays_here)
        return {name: _as_text(value) for name, value in values.items()}


FIELD_NAMES: Final = RunConfig.typed_names()
"""The settings that can be typed, and so linked to and searched for too."""


def for_its_engine(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their names, the engine among them, without those that only DDP has where it is another one."""
    is_ddp = values["engine"] == EngineName.DDP
    return {name: value for name, value in values.items() if is_ddp or name not in DDP_ONLY}


@cache
def bounds(setting: str) -> tuple[float, float]:
    """Lowest and highest value that a numeric setting may have."""
    field = RunConfig.model_json_schema()["properties"][setting]
    number = next((part for part in field.get("anyOf", []) if "minimum" in part), field)
    return number["minimum"], number["maximum"]


def _as_text(value: float | int | str | Sequence[int]) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return repr(value) if isinstance(value, float) else str(value)
