"""The server's own settings, from the environment (`DPDASH_…`)."""

import os
from pathlib import Path

import platformdirs
from pydantic import Field, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dpdash.config import bounds

MINIMUM_GRACE_SECONDS = 120.0


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_database_url() -> str:
    """The SQLite file in the user's data folder."""
    folder = Path(platformdirs.user_data_dir("dpdash", appauthor=False))
    return f"sqlite:///{folder / 'runs.db'}"


class ServerSettings(BaseSettings):
    """How this server stores and schedules runs."""

    model_config = SettingsConfigDict(env_prefix="DPDASH_", frozen=True)

    database_url: str = Field(
        default_factory=default_database_url,
        description="Where runs are stored: sqlite:///path/to/file.db.",
    )
    full_speed_slots: PositiveInt = Field(
        default_factory=num_cores,
        description="Runs that train at full speed at the same time; further ones wait.",
    )
    paced_slots: PositiveInt = Field(default=64, description="Runs that train at a set pace at the same time.")
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
    max_pages: PositiveInt = Field(
        default=300, description="Pages open at the same time; one more is refused, and the others go on."
    )
    teacher_passphrase: SecretStr | None = Field(
        default=None,
        min_length=8,
        description="Opens the Room page to whoever knows it; there is no such page when it is not set.",
    )
    language: str | None = Field(
        default=None,
        description="Language that every page opens in, such as pt_BR; the browser's own when it is not set.",
    )
