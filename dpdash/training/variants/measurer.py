"""Who measures ways to do a step: replicas in this process, or a group of ranks."""

from typing import Protocol

from dpdash.core.config import RunConfig
from dpdash.core.errors import DpdashError
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.variants import Variant
from dpdash.training.variants.steady import Steady


class MeasuringError(DpdashError):
    """A step that was to be measured could not be done."""


class Measurer(Protocol):
    """Measures one thing at a time, on copies of its own: no run is concerned."""

    def measure(self, config: RunConfig, variant: Variant, seconds: float) -> Steady:
        """The steady rate of a variant of the config's step: a whole batch, all samples of the config.

        What a config or a variant needs is made when it is measured first and kept, so that a further turn takes
        little more than its own time.

        Raises:
            MeasuringError: when it cannot be measured.
        """


class Exchanger(Measurer, Protocol):
    """Measures an exchange alone as well: a group of ranks."""

    def exchange(self, way: ExchangeWay, num_bytes: int, num_ranks: int, seconds: float) -> Steady:
        """The steady rate of adding up so many bytes of float32 of each of the first ranks, in every one of them.

        Raises:
            MeasuringError: when it cannot be measured.
        """
