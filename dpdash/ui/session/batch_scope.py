"""Whether the batch of the next run is set for all replicas together, or for each and grows with them."""

from enum import StrEnum
from typing import Final

from dpdash.core.config import RunConfig
from dpdash.core.linear_scaling import scaled_rate
from dpdash.core.sharding import shard_sizes
from dpdash.ui.session.inputs import Input
from dpdash.ui.session.state import change_settings, wanted_settings

REPLICA_BATCH: Final = Input("replica_batch", 0)
"""Samples in the batch of each replica; 0 where the batch is set for all of them."""
RATE_BASE: Final[Input[tuple[float, int]]] = Input("rate_base", (0.0, 0))
"""The learning rate that was set last, and the samples of the batch that it was set for."""


class Scope(StrEnum):
    """What a batch size is of."""

    ALL = "all"
    EACH = "each"


class BatchScope:
    """For whom the batch is set."""

    name = "batch_scope"

    def get(self) -> Scope:
        """For whom that of the next run is."""
        return Scope.EACH if REPLICA_BATCH.get() else Scope.ALL

    def put(self, value: Scope) -> None:
        """Let it be so; the batch itself stays."""
        settings = wanted_settings()
        shards = shard_sizes(batch_size(settings), settings.replicas)
        REPLICA_BATCH.put(shards[0] if value is Scope.EACH else 0)
        keep_rate_base()


class ReplicaBatch:
    """Samples in the batch of each replica, where the batch is set for each."""

    name = "replica_batch_size"

    def get(self) -> int:
        """Those of the next run, whose settings may be another run's by now."""
        settings, each = wanted_settings(), REPLICA_BATCH.get()
        if min(each * settings.replicas, settings.samples) == batch_size(settings):
            return each
        return shard_sizes(batch_size(settings), settings.replicas)[0]

    def put(self, value: int) -> None:
        """Let it be so many, and so many more in the batch of all."""
        REPLICA_BATCH.put(value)
        change_settings({"global_batch_size": value * wanted_settings().replicas})


def change_with_batch(change: dict[str, object]) -> None:
    """Change settings of the next run; a batch that is set for each replica grows and shrinks with them."""
    if not REPLICA_BATCH.get():
        change_settings(change)
        return
    each = ReplicaBatch().get()
    change_settings(change)
    ReplicaBatch().put(each)


def batch_size(config: RunConfig) -> int:
    """Samples in one update, over all replicas."""
    return config.global_batch_size or config.samples


def keep_rate_base() -> None:
    """Let the linear scaling rule begin with the learning rate and the batch as they are now."""
    settings = wanted_settings()
    RATE_BASE.put((settings.learning_rate, batch_size(settings)))


def rule_rate() -> float:
    """The learning rate of the linear scaling rule for the batch of the next run."""
    settings = wanted_settings()
    rate, size = RATE_BASE.get()
    return scaled_rate(rate, size, batch_size(settings)) if size else settings.learning_rate
