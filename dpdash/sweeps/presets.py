"""Sweeps that teach something, one click away."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dpdash.core.config import OptimizerName, RunConfig
from dpdash.core.errors import N_
from dpdash.core.sweep import Objective, SearchMethod, SweepPlan
from dpdash.core.sweep_axis import Axis


class PresetName(StrEnum):
    """The presets there are."""

    RATE_OPTIMIZER = "rate_optimizer"
    RATE_BATCH = "rate_batch"
    NOISE_SAMPLES = "noise_samples"


@dataclass(frozen=True)
class Preset:
    """A sweep with its lesson."""

    title: str
    teaches: str
    plan: SweepPlan


def _plan(name: PresetName, base: RunConfig, *axes: Axis) -> SweepPlan:
    """A grid whose trials all go to their end: a map with holes would teach little."""
    return SweepPlan.parse(
        {
            "base": base,
            "axes": axes,
            "method": SearchMethod.GRID,
            "objective": Objective.FINAL_LOSS,
            "trials": 1,
            "seed": 0,
            "prunes": False,
            "preset": name.value,
        }
    )


PRESETS: Final[Mapping[PresetName, Preset]] = {
    PresetName.RATE_OPTIMIZER: Preset(
        N_("Learning rate × optimizer"),
        N_(
            "Each optimizer has learning rates of its own. SGD diverges above 2 divided by the curvature of the "
            "loss, here about 0.12; Adam and its kin take larger ones, and are slow with small ones."
        ),
        _plan(
            PresetName.RATE_OPTIMIZER,
            RunConfig(samples=1000, epochs=200),
            Axis("learning_rate", (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)),
            Axis("optimizer", tuple(optimizer.value for optimizer in OptimizerName)),
        ),
    ),
    PresetName.RATE_BATCH: Preset(
        N_("Learning rate × global batch"),
        N_(
            "The linear scaling rule: k times the batch takes as many times fewer steps an epoch, and wants k "
            "times the learning rate, up to the largest one that does not diverge; a warm-up lets a high one "
            "begin gently. The dashed line is the rule, drawn through the best learning rate of the smallest "
            "batch."
        ),
        _plan(
            PresetName.RATE_BATCH,
            RunConfig(samples=4096, epochs=5, optimizer=OptimizerName.SGD),
            Axis("global_batch_size", (16, 64, 256, 1024, 4096)),
            Axis("learning_rate", (0.001, 0.003, 0.01, 0.03, 0.1)),
        ),
    ),
    PresetName.NOISE_SAMPLES: Preset(
        N_("Noise × samples"),
        N_(
            "How sure the slope is: over many draws of the data the slopes scatter as the standard error "
            "σ/√Σ(x−x̄)² says. It grows with the noise, and falls with the square root of the number of samples."
        ),
        _plan(
            PresetName.NOISE_SAMPLES,
            RunConfig(epochs=300, learning_rate=0.05, optimizer=OptimizerName.SGD),
            Axis("noise", (0.5, 2.0)),
            Axis("samples", (25, 100, 400, 1600)),
            Axis("seed", tuple(range(10))),
        ),
    ),
}
