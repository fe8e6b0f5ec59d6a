"""Ways to do a training step: as the engine does it, and with one cause of delay after the other taken away."""

from enum import StrEnum
from typing import Final

from dpdash.core.config import EngineName


class Variant(StrEnum):
    """A way to do a step. The difference of two is what the cause costs that one has and the other has not."""

    ENGINE = "engine"
    """As the engine does it when it trains; of the engine `single`, on one core or one GPU."""
    WHOLE_CPU = "whole_cpu"
    """The whole batch on one device whose operations take all cores."""
    SHARD_ALONE = "shard_alone"
    """The largest shard on one device, while the others do nothing."""
    SHARDS_AT_ONCE = "shards_at_once"
    """Every shard on a device of its own, each with a model and an optimizer, and nothing exchanged."""
    ONE_BACKWARD = "one_backward"
    """DataParallel with replicas that persist: nothing is copied, and one backward goes over all outputs."""
    NO_EXCHANGE = "no_exchange"
    """DDP with its all-reduce taken away: each bucket is ready at once."""
    ONE_BUCKET = "one_bucket"
    """DDP with one bucket for all gradients, so that nothing of the exchange is hidden behind backward."""
    FIRST_ALL_REDUCE = "first_all_reduce"
    """DDP while each rank notes when it enters its first all-reduce."""
    EXCHANGE_EACH = "exchange_each"
    """DDP that exchanges after each micro-batch of a step, where the engine does after the last one alone."""


OF_ONE_DEVICE: Final = (Variant.ENGINE, Variant.WHOLE_CPU)
OF_DATA_PARALLEL: Final = (Variant.SHARD_ALONE, Variant.SHARDS_AT_ONCE, Variant.ONE_BACKWARD, Variant.ENGINE)
OF_DDP: Final = (
    Variant.SHARD_ALONE,
    Variant.SHARDS_AT_ONCE,
    Variant.NO_EXCHANGE,
    Variant.ENGINE,
    Variant.ONE_BUCKET,
    Variant.FIRST_ALL_REDUCE,
)


def variants_of(engine: EngineName) -> tuple[Variant, ...]:
    """The ways to do a step that tell what an engine's own takes, in the order of a round."""
    if engine is EngineName.SINGLE:
        return OF_ONE_DEVICE
    return OF_DDP if engine is EngineName.DDP else OF_DATA_PARALLEL
