"""What became of a trial, from the run that it was."""

import math
from dataclasses import dataclass, replace

import numpy as np

from dpdash.core.config import RunConfig
from dpdash.core.events import EpochBlock, RunDiverged, RunFinished, RunStopped, StopReason
from dpdash.core.history import HistorySnapshot
from dpdash.core.optimum import slope_error
from dpdash.core.sweep import REACHED_AT, Objective, Trial, TrialStatus
from dpdash.problem.preview import preview
from dpdash.sweeps.search import NUM_REPORTS


@dataclass(frozen=True, slots=True)
class Reached:
    """When a loss first was near the noise floor."""

    epoch: int
    seconds: float


def report_epoch(config: RunConfig, report: int) -> int:
    """The epoch at which a trial's loss is reported the n-th time."""
    return max(1, config.epochs * report // NUM_REPORTS)


def loss_above_optimum(config: RunConfig, loss: float) -> float:
    """How far a loss is above the least that a line can have on this run's data; infinity for no finite one."""
    return loss - preview(config).optimum.loss if math.isfinite(loss) else math.inf


def standard_error(config: RunConfig) -> float:
    """What theory gives the slope of the best line as its standard error: σ/√Σ(x−x̄)²; own data tell their σ."""
    error = slope_error(config, preview(config).moments)
    return math.inf if error is None else error


def settled(
    trial: Trial, config: RunConfig, history: HistorySnapshot, objective: Objective, rows: EpochBlock | None
) -> Trial:
    """The trial with what became of it; `rows` has every epoch where the history has thinned them out."""
    line = history.line
    known = replace(trial, num_epochs=history.num_epochs, slope=line[0] if line else None)
    status = _status(history)
    if status is not TrialStatus.COMPLETE:
        return replace(known, status=status)
    error = standard_error(config)
    known = replace(known, standard_error=error if math.isfinite(error) else None)
    value = _value(config, history, objective, rows)
    if value is None:
        return replace(known, status=TrialStatus.NOT_REACHED)
    return replace(known, status=TrialStatus.COMPLETE, value=value)


def _status(history: HistorySnapshot) -> TrialStatus:
    ended = history.ended
    if isinstance(ended, RunDiverged):
        return TrialStatus.DIVERGED
    if isinstance(ended, RunStopped):
        return TrialStatus.PRUNED if ended.reason is StopReason.SWEEP else TrialStatus.STOPPED
    if isinstance(ended, RunFinished):
        # With a learning rate that a person moved meanwhile, it says nothing about its settings.
        return TrialStatus.STOPPED if history.learning_rate_changes else TrialStatus.COMPLETE
    return TrialStatus.FAILED


def _value(
    config: RunConfig, history: HistorySnapshot, objective: Objective, rows: EpochBlock | None
) -> float | None:
    if objective is Objective.FINAL_LOSS:
        return _final(config, history)
    reached = first_reached(history, REACHED_AT * preview(config).noise_floor, rows)
    if reached is None:
        return None
    return float(reached.epoch) if objective is Objective.EPOCHS_TO_REACH else reached.seconds


def _final(config: RunConfig, history: HistorySnapshot) -> float | None:
    latest, line = history.latest, history.line
    if latest is None or line is None:
        return None
    if config.hidden_depth:
        # The line of a network is only the one that fits its predictions best; its loss is that of its last row.
        return loss_above_optimum(config, latest.loss)
    # Both in float64: a float32 loss could not tell the last lines apart.
    above = preview(config).moments.loss_at(*line) - preview(config).optimum.loss
    return max(0.0, above) if math.isfinite(above) else None


def first_reached(history: HistorySnapshot, loss: float, rows: EpochBlock | None) -> Reached | None:
    """The first epoch whose loss is so low; from the thinned history where there are no rows."""
    if rows is not None:
        hits = np.flatnonzero(rows.loss <= loss)
        return Reached(rows.first_epoch + int(hits[0]), float(rows.seconds[hits[0]])) if len(hits) else None
    hits = np.flatnonzero(history.low[0] <= loss)
    if not len(hits):
        return None
    return Reached(int(history.low_epoch[0, hits[0]]), float(history.last[-1, hits[0]]))
