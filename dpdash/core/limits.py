"""What this server allows a browser, on top of the bounds that every setting has anyway."""

from dataclasses import dataclass
from typing import Final, Self

from dpdash.core.config import RunConfig, bounds
from dpdash.core.errors import N_, ConfigError, SettingError
from dpdash.core.settings import ServerSettings

LIMITED: Final = ("samples", "epochs")
"""The settings that a server may bound more narrowly."""
MOST_VALUES: Final = 50_000_000
"""Numbers that hidden layers may hold at once where no run trains, a few hundred MB with their gradients."""


@dataclass(frozen=True)
class Limits:
    """How much one browser may ask of this server."""

    runs_per_browser: int
    """Runs that wait, train or stand paused at the same time."""
    samples: int
    epochs: int

    @classmethod
    def of(cls, settings: ServerSettings) -> Self:
        """The limits that a server's settings name; one above a setting's own bound is that bound."""
        return cls(
            runs_per_browser=settings.max_runs_per_browser,
            samples=min(settings.max_samples, int(bounds("samples")[1])),
            epochs=min(settings.max_epochs, int(bounds("epochs")[1])),
        )

    def bounds(self, setting: str) -> tuple[float, float]:
        """Lowest and highest value that a numeric setting may have on this server."""
        low, high = bounds(setting)
        if setting == "global_batch_size":
            return low, min(high, self.samples)
        return low, getattr(self, setting) if setting in LIMITED else high

    def further(self, epochs: int) -> int:
        """To how many epochs a run goes on that has had all of its own: to twice as many, as far as is allowed.

        A run of 20 epochs is not flattened by 500 more, and one of 100,000 gets enough of them to show.
        """
        return max(epochs, min(2 * epochs, self.epochs))

    def problems(self, config: RunConfig) -> tuple[SettingError, ...]:
        """One sentence for each setting that is higher than this server allows."""
        return tuple(self._problem(name, getattr(config, name)) for name in self._exceeded(config))

    def allowed(self, config: RunConfig) -> RunConfig:
        """The same settings, checked anew, for a config can be copied with other values unchecked.

        Raises:
            ConfigError: when a setting is not allowed, or is beyond what this server allows.
        """
        checked = RunConfig.parse(dict(config))
        problems = self.problems(checked)
        if problems:
            raise ConfigError(problems)
        return checked

    def narrowed(self, config: RunConfig) -> RunConfig:
        """The same settings, with the highest value allowed where they ask for more."""
        exceeded = self._exceeded(config)
        if config.data is not None and "samples" in exceeded:
            # A part of a table would be another table.
            return self.narrowed(config.on_drawn())
        changes = {name: getattr(self, name) for name in exceeded}
        samples = changes.get("samples")
        if samples is not None and config.global_batch_size is not None:
            changes["global_batch_size"] = min(config.global_batch_size, samples)
        return config.model_copy(update=changes) if changes else config

    def _exceeded(self, config: RunConfig) -> tuple[str, ...]:
        return tuple(name for name in LIMITED if getattr(config, name) > getattr(self, name))

    def _problem(self, setting: str, received: int) -> SettingError:
        limit: int = getattr(self, setting)
        return SettingError(
            setting,
            N_("{setting} must be at most {limit} on this server. Received: {received}. Try {hint}."),
            limit=limit,
            received=received,
            hint=min(limit, RunConfig.model_fields[setting].default),
        )


def too_large(setting: str, received: int, num_values: int, most_values: int = MOST_VALUES) -> SettingError | None:
    """Why the hidden layers of work that is no run hold too many numbers; None where they do not.

    `setting` is the one that `num_values` grows with, and `received` is what it is.
    """
    if num_values <= most_values:
        return None
    return SettingError(
        setting,
        N_(
            "{setting} must be at most {limit} with layers so wide and so many of them: the replicas' memory "
            "is bounded. Received: {received}. Try {limit}."
        ),
        limit=max(1, received * most_values // num_values),
        received=received,
    )


def longer(config: RunConfig, epochs: int | None, *, has_all: bool = False) -> RunConfig:
    """The settings of a run that goes on, to so many epochs or, where that is None, to as many as it was to have.

    Raises:
        SettingError: when they would be fewer, or no more for a run that `has_all` of its own.
    """
    epochs = config.epochs if epochs is None else epochs
    if has_all and epochs <= config.epochs:
        raise SettingError(
            "epochs",
            N_(
                "{setting} of a run that has finished must be more than its own, {limit}, for it to go on. "
                "Received: {received}. Try {hint}."
            ),
            limit=config.epochs,
            received=epochs,
            hint=2 * config.epochs,
        )
    if epochs < config.epochs:
        raise SettingError(
            "epochs",
            N_(
                "{setting} of a run that goes on must be at least its own, {limit}. Received: {received}. "
                "Try {hint}."
            ),
            limit=config.epochs,
            received=epochs,
            hint=2 * config.epochs,
        )
    return config.model_copy(update={"epochs": epochs})


def lifted(settings: ServerSettings) -> ServerSettings:
    """The settings for whoever owns the machine, who is bound by what a run can be and by nothing else."""
    return settings.model_copy(update={f"max_{name}": int(bounds(name)[1]) for name in LIMITED})
