"""The server's own settings, from the environment (`DPDASH_…`)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, LiteralString, get_args

import platformdirs
from pydantic import Field, NonNegativeInt, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dpdash.core.config import bounds
from dpdash.core.cores import num_cores
from dpdash.core.errors import DpdashError
from dpdash.core.network import HOST_RULE, ORIGIN_RULE, host_in, origin_in

MINIMUM_GRACE_SECONDS = 120.0
PREFIX: Final = "DPDASH_"
MOST_PROCESSES: Final = 4
"""Each takes some 250 MB, most of it torch. Who wants more sets more."""
LEAST_RANKS: Final = 8
"""So many processes of DDP may there be on any machine: two runs of four replicas."""
SHORTEST_PASSPHRASE: Final = 8


def default_database_url() -> str:
    """The SQLite file in the user's data folder.

    Raises:
        DpdashError: if the user has no home folder.
    """
    try:
        folder = Path(platformdirs.user_data_dir("dpdash", appauthor=False))
    except RuntimeError:
        # Neither HOME nor the list of users has one: a container under a number of its own.
        raise DpdashError(
            "{variable} must be set where the user has no home folder. Try {variable}={hint}.",
            variable=variable("database_url"),
            hint="sqlite:////data/runs.db",
        ) from None
    return f"sqlite:///{folder / 'runs.db'}"


class ServerSettings(BaseSettings):
    """How this server stores and schedules runs."""

    # A passphrase that is too short must not be shown in the error that says so.
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    database_url: str = Field(
        default_factory=default_database_url,
        description="Where runs are stored: sqlite:///path/to/file.db, or postgresql://user@host/database.",
    )
    full_speed_slots: PositiveInt = Field(
        default_factory=num_cores,
        description="Runs that train at full speed at the same time; further ones wait.",
    )
    paced_slots: PositiveInt = Field(default=64, description="Runs that train at a set pace at the same time.")
    training_processes: NonNegativeInt = Field(
        default_factory=lambda: min(num_cores(), MOST_PROCESSES),
        description="Processes that train beside the one that serves the pages; with 0, that one trains too.",
    )
    ddp_processes: PositiveInt = Field(
        default_factory=lambda: max(LEAST_RANKS, 2 * num_cores()),
        description="Processes that the runs of DDP may have together, paused ones too.",
    )
    grace_seconds: float = Field(
        default=MINIMUM_GRACE_SECONDS,
        ge=MINIMUM_GRACE_SECONDS,
        description="Seconds after which the runs of a browser that is gone are stopped, and kept.",
    )
    refresh_seconds: float = Field(
        default=0.25,
        ge=0.1,
        le=10,
        description="Seconds between two updates of a live page; a crowd's pages are updated less often.",
    )
    max_runs_per_browser: PositiveInt = Field(
        default=8, description="Runs of one browser that wait, train or stand paused at the same time."
    )
    max_samples: int = Field(
        default_factory=lambda: int(bounds("samples")[1]),
        ge=1,
        description="The most samples that a run may have on this server.",
    )
    max_epochs: int = Field(
        default_factory=lambda: int(bounds("epochs")[1]),
        ge=1,
        description="The most epochs that a run may have on this server.",
    )
    keep_runs: PositiveInt | None = Field(
        default=None,
        description="Runs that are kept; of more, the oldest that are not pinned go, after an hour's notice.",
    )
    keep_megabytes: PositiveInt | None = Field(
        default=None,
        description="Millions of bytes that the runs may take; of more, the oldest go as above.",
    )
    max_pages: PositiveInt = Field(
        default=300, description="Pages open at the same time; one more is refused, and the others go on."
    )
    teacher_passphrase: SecretStr | None = Field(
        default=None,
        description="Opens the Room page to whoever knows it; there is no such page when it is not set.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Names, with commas between them, that the server goes by besides its own and its addresses.",
    )
    frame_ancestors: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Sites, with commas between them, that may show the dashboard in a frame; over HTTPS.",
    )
    language: str | None = Field(
        default=None,
        description="Language that every page opens in, such as pt_BR; the browser's own when it is not set.",
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        return _split(value, host_in, HOST_RULE)

    @field_validator("frame_ancestors", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        return _split(value, origin_in, ORIGIN_RULE)

    @field_validator("teacher_passphrase")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value) < SHORTEST_PASSPHRASE:
            raise PydanticCustomError(
                "passphrase_too_short",
                "A passphrase needs {least} characters or more",
                {"least": SHORTEST_PASSPHRASE},
            )
        return value


def _split(value: object, read: Callable[[str], str], rule: LiteralString) -> object:
    if not isinstance(value, str):
        return value
    try:
        return tuple(read(name.strip()) for name in value.split(",") if name.strip())
    except DpdashError:
        raise PydanticCustomError("no_name", rule) from None


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{setting}".upper()


def read_settings(given: Mapping[str, object] | None = None) -> ServerSettings:
    """The settings of the environment, and over them those that were given as options of a command.

    Raises:
        DpdashError: one sentence for each setting that its rule does not allow; a secret is not repeated.
    """
    options = dict(given or {})
    try:
        return ServerSettings(**options)  # type: ignore[arg-type]  # what does not fit is told below
    except ValidationError as error:
        problems = " ".join(_sentence(problem, options) for problem in error.errors())
        raise DpdashError("{problems}", problems=problems) from None


def _sentence(problem: ErrorDetails, options: Mapping[str, object]) -> str:
    setting = str(problem["loc"][0])
    name = f"--{setting.replace('_', '-')}" if setting in options else variable(setting)
    annotation = ServerSettings.model_fields[setting].annotation
    is_secret = SecretStr in (annotation, *get_args(annotation))
    received = "" if is_secret else f" Received: {problem['input']}."
    return f"{name}: {problem['msg']}.{received} Change it, or leave it out."
