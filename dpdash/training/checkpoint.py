"""With what a run goes on: its numbers as bytes (safetensors), which can hold nothing but numbers.

Why safetensors, when a checkpoint is taken and what is restored: docs/adr/0014-resume.md.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn, optim

from dpdash.core.errors import N_, DpdashError
from dpdash.core.events import Checkpoint, LearningRateChanged
from dpdash.training.learning_rates import LearningRates
from dpdash.training.threads import AS_HERE

LARGEST_BYTES: Final = 16 * 2**20
"""While one is saved the rows of other runs wait; under Adam that is a model of 1.4 million parameters."""
MOST_THREADS: Final = 1024
NUMBERS: Final = ("epoch", "seconds", "learning_rate", "num_threads")
"""What stands in the tensor `numbers`, in float64, which holds each of them exactly."""
MODEL, OPTIMIZER, GENERATOR = "model.", "optimizer.", "generator"
MOVED: Final = "moved"
"""A tensor that is there where somebody has moved the learning rate."""
DAMAGED: Final = N_(
    "The checkpoint of this run cannot be used ({detail}). Press Start to train with these settings from the "
    "first epoch."
)

_log = logging.getLogger(__name__)


class CheckpointError(DpdashError):
    """A checkpoint is damaged, or another model's."""


@dataclass(frozen=True, slots=True)
class State:
    """A run between two epochs: all that the coming ones depend on, beside its settings."""

    epoch: int
    """Epochs trained so far."""
    seconds: float
    """Of training so far."""
    learning_rate: float
    num_threads: int
    """What torch uses for each operation, by which sums are rounded."""
    replays: tuple[LearningRateChanged, ...]
    """Learning rates that the run had at later epochs before it was cut back to this one."""
    tensors: Mapping[str, Tensor]
    """Of model, optimizer and generator, under names that begin so; none before the first epoch."""
    is_moved: bool = False
    """Whether somebody has asked for a learning rate, which ends a warm-up."""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """Read a checkpoint.

        Raises:
            CheckpointError: if it is none.
        """
        try:
            tensors = load(checkpoint.state)
            numbers = dict(zip(NUMBERS, tensors.pop("numbers").tolist(), strict=True))
            changes = tensors.pop("replays").tolist() if "replays" in tensors else []
            state = cls(
                epoch=int(numbers["epoch"]),
                seconds=numbers["seconds"],
                learning_rate=numbers["learning_rate"],
                num_threads=int(numbers["num_threads"]),
                replays=tuple(LearningRateChanged(int(epoch), rate) for epoch, rate in changes),
                is_moved=tensors.pop(MOVED, None) is not None,
                tensors=tensors,
            )
        except (SafetensorError, LookupError, TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise CheckpointError(DAMAGED, detail=type(error).__name__) from error
        state._check(checkpoint)
        return state

    def packed(self) -> Checkpoint:
        """The same as bytes."""
        numbers = torch.tensor([getattr(self, name) for name in NUMBERS], dtype=torch.float64)
        tensors = {**self.tensors, "numbers": numbers}
        if self.replays:
            changes = [(change.epoch, change.learning_rate) for change in self.replays]
            tensors["replays"] = torch.tensor(changes, dtype=torch.float64)
        if self.is_moved:
            tensors[MOVED] = torch.ones(1)
        return Checkpoint(self.epoch, self.seconds, save(tensors))

    def _check(self, checkpoint: Checkpoint) -> None:
        rates = (self.learning_rate, *(change.learning_rate for change in self.replays))
        if self.epoch != checkpoint.epoch:
            raise CheckpointError(DAMAGED, detail=f"epoch {self.epoch} instead of {checkpoint.epoch}")
        if not (math.isfinite(self.seconds) and all(0 < rate < math.inf for rate in rates)):
            raise CheckpointError(DAMAGED, detail="a number is out of bounds")
        if not AS_HERE <= self.num_threads <= MOST_THREADS:
            raise CheckpointError(DAMAGED, detail=f"{self.num_threads} threads")


class Keeper:
    """Takes the checkpoints of a run, and lets it go on from one."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: optim.Optimizer,
        generator: torch.Generator,
        rates: LearningRates,
        *,
        takes: bool = True,
    ) -> None:
        """All of them are the training's own; the model is the one that is updated, on whatever device.

        Of processes that hold the same, one alone `takes` checkpoints.
        """
        self.rates = rates
        self._model, self._optimizer, self._generator = model, optimizer, generator
        self._takes = takes

    def take(self, epoch: int, seconds: float) -> Checkpoint | None:
        """The run as it stands after so many epochs; None, and a line in the log, where that is too much."""
        if not self._takes:
            return None
        tensors = dict(self._tensors())
        if sum(tensor.nbytes for tensor in tensors.values()) > LARGEST_BYTES:
            _log.warning(
                "This model is too large for a checkpoint, which has %d MiB at most.", LARGEST_BYTES >> 20
            )
            self._takes = False
            return None
        state = State(
            epoch=epoch,
            seconds=seconds,
            learning_rate=self.rates.current,
            num_threads=torch.get_num_threads(),
            replays=self.rates.replays_after(epoch),
            is_moved=self.rates.is_moved,
            tensors=tensors,
        )
        return state.packed()

    def restore(self, state: State) -> None:
        """Bring model, optimizer, generator and learning rate to where they stood.

        Raises:
            CheckpointError: if it is the state of another model.
        """
        if state.tensors:
            try:
                self._model.load_state_dict(_under(MODEL, state.tensors))
                self._restore_optimizer(_under(OPTIMIZER, state.tensors))
                self._generator.set_state(state.tensors[GENERATOR])
            except (LookupError, TypeError, ValueError, RuntimeError) as error:
                raise CheckpointError(DAMAGED, detail=type(error).__name__) from error
        # After the optimizer, which would bring its own along.
        self.rates.restore(state.learning_rate, state.replays, is_moved=state.is_moved)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in self._model.state_dict().items():
            yield MODEL + name, tensor
        for index, values in self._optimizer.state_dict()["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    yield f"{OPTIMIZER}{index}.{name}", value
        yield GENERATOR, self._generator.get_state()

    def _restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        parameters = list(self._model.parameters())
        states: dict[int, dict[str, Tensor]] = {}
        for place, value in tensors.items():
            index, name = place.split(".")
            parameter = parameters[int(index)]
            # A fused update does not look: it would read, and write, beside a tensor of another shape.
            if value.shape != (parameter.shape if name != "step" else ()) or value.dtype != torch.float32:
                raise ValueError(place)
            states.setdefault(int(index), {})[name] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": states, "param_groups": groups})


def going_on(taken: Checkpoint | None, learning_rate: float, told: tuple[LearningRateChanged, ...]) -> Checkpoint:
    """Where a run goes on: at a checkpoint of its own, or at its beginning where it has none.

    Args:
        taken: Its newest checkpoint.
        learning_rate: The one that it began with.
        told: The learning rates that it had behind the checkpoint, in their order.

    Raises:
        CheckpointError: if the checkpoint is damaged.
    """
    begun = State(0, 0.0, learning_rate, AS_HERE, (), {}) if taken is None else State.of(taken)
    return replace(begun, replays=still_to_come(begun.replays, told)).packed()


def still_to_come(
    planned: tuple[LearningRateChanged, ...], told: tuple[LearningRateChanged, ...]
) -> tuple[LearningRateChanged, ...]:
    """The learning rates that a run has behind a checkpoint.

    Those that it has told since come first. Those that it was to take again when the checkpoint was taken come
    after them, unless somebody has asked for another one meanwhile.
    """
    is_as_planned = told == planned[: len(told)]
    return (*told, *planned[len(told) :]) if is_as_planned else told


def _under(beginning: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {name[len(beginning) :]: tensor for name, tensor in tensors.items() if name.startswith(beginning)}
