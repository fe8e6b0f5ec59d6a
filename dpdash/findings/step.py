"""Where the time of a traced step went, said from the medians of many.

A sentence is a template with its numbers, so that it can be translated and its numbers written as the reader's
language writes them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final

from dpdash.core.errors import N_
from dpdash.core.steps import Phase, PhaseTime, StepTimes, StepTrace

COMPUTING: Final = (Phase.PARALLEL_APPLY, Phase.BACKWARD)
MOVING: Final = (Phase.SCATTER, Phase.REPLICATE, Phase.GATHER, Phase.REDUCE)
UPDATING: Final = (Phase.LOSS, Phase.OPTIMIZER)
MILLISECONDS: Final = 1e3
PERCENT: Final = 100
LONG_GAP: Final = 5
"""A pause of more than so many median phases is long."""
HAIRLINES: Final = 1 / 3
"""Where a long pause takes more than this share of a step, what did run is a hairline beside it."""
IN_TURNS: Final = 1.05
"""Up to so many forwards at once on average, one replica waited for the other."""
SLOW: Final = 0.05
"""A rank that keeps the others waiting for less than this share of a step is not worth a word."""


class StepVerdictKind(StrEnum):
    """What limits a step."""

    ONE_DEVICE = "one_device"
    BETWEEN = "between"
    MOVING = "moving"
    COMPUTING = "computing"
    UPDATING = "updating"
    OVERLAP = "overlap"
    GAP = "gap"
    IDLE = "idle"
    SLOW_RANK = "slow_rank"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class StepSentence:
    """One sentence about a step."""

    kind: StepVerdictKind
    template: str
    values: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**{name: f"{value:.3g}" for name, value in self.values.items()})


def phase_shares(trace: StepTrace) -> dict[Phase, float]:
    """The share of the step, 0 to 1, in which each of its phases was at work, in the order of `Phase`."""
    times = trace.timed
    return {time.phase: time.on_clock.median / times.traced.median for time in times.phases}


def step_verdict(trace: StepTrace) -> tuple[StepSentence, ...]:
    """Where the time went, whether the replicas worked at the same time, and who was slow or had nothing to do."""
    where, slow = _where_the_time_went(trace), _slow_rank(trace)
    # Adding up that is mostly the wait for a slow rank is not what limits the step.
    first = (where, slow) if slow is None or where.kind is not StepVerdictKind.MOVING else (slow,)
    said = (*first, *(look(trace) for look in (_overlap, _gap, _idle)))
    return tuple(sentence for sentence in said if sentence is not None)


def tracing_cost(trace: StepTrace) -> StepSentence:
    """How many steps were traced, and how much longer they took for it."""
    times = trace.timed
    if times.untraced is None or times.cost is None:
        template = N_("One step alone, as older versions traced it. Trace a step for the medians of many.")
        return StepSentence(StepVerdictKind.COST, template)
    template = N_(
        "{steps} warm steps: the median ± half the spread of the middle half. Watched, a step takes {traced} ms, "
        "unwatched, in turns, {untraced} ms: {cost} times as long."
    )
    values = {
        "steps": times.num_steps,
        "traced": MILLISECONDS * times.traced.median,
        "untraced": MILLISECONDS * times.untraced.median,
        "cost": times.cost,
    }
    return StepSentence(StepVerdictKind.COST, template, values)


def mostly_watching(trace: StepTrace) -> tuple[PhaseTime, ...]:
    """The phases that are mostly the watching itself: noting them takes at least half of their median."""
    return tuple(time for time in trace.timed.phases if time.marks >= time.on_clock.median / 2)


def _where_the_time_went(trace: StepTrace) -> StepSentence:
    times = trace.timed
    computing, moving, updating = (_share(times, phases) for phases in (COMPUTING, MOVING, UPDATING))
    between = times.between.median / times.traced.median
    values = {
        "milliseconds": MILLISECONDS * times.traced.median,
        "computing": round(PERCENT * computing),
        "moving": round(PERCENT * moving),
        "updating": round(PERCENT * updating),
        "between": round(PERCENT * between),
    }
    if len(trace.replicas) == 1:
        template = N_(
            "One device did the step in {milliseconds} ms: forward and backward took {computing} % of it, the "
            "loss and the update {updating} %, and {between} % passed between the phases."
        )
        return StepSentence(StepVerdictKind.ONE_DEVICE, template, values)
    shares = {
        StepVerdictKind.COMPUTING: computing,
        StepVerdictKind.MOVING: moving,
        StepVerdictKind.UPDATING: updating,
        StepVerdictKind.BETWEEN: between,
    }
    kind = max(shares, key=shares.__getitem__)
    template = _TEMPLATES[kind]
    if kind is StepVerdictKind.UPDATING and len({span.lane for span in trace.spans if span.phase in UPDATING}) > 1:
        template = UPDATED_BY_EACH
    return StepSentence(kind, template, values)


_TEMPLATES: Final = {
    StepVerdictKind.COMPUTING: N_(
        "Most of the {milliseconds} ms was work that the replicas share: forward and backward took {computing} % "
        "of the step, copying and adding up between the replicas {moving} %."
    ),
    StepVerdictKind.MOVING: N_(
        "Most of the {milliseconds} ms was spent between the replicas: copying and adding up took {moving} % of "
        "the step, forward and backward {computing} %. Only more work for each sample, a wider or deeper network, "
        "changes that."
    ),
    StepVerdictKind.UPDATING: N_(
        "Most of the {milliseconds} ms was work of the first device alone: the loss and the update took "
        "{updating} % of the step, forward and backward {computing} %, copying and adding up between the replicas "
        "{moving} %."
    ),
    StepVerdictKind.BETWEEN: N_(
        "{between} % of the {milliseconds} ms passed between the phases, in Python: forward and backward took "
        "{computing} %, copying and adding up {moving} %."
    ),
}


UPDATED_BY_EACH: Final = N_(
    "Most of the {milliseconds} ms was work that each replica does for itself: the loss and the update took "
    "{updating} % of the step, forward and backward {computing} %, adding up between the replicas {moving} %."
)
"""Where no device does it for all."""


def _slow_rank(trace: StepTrace) -> StepSentence | None:
    """Who was slow inside backward, which the all-reduce makes equally long for all."""
    entries = sorted(trace.timed.entries, key=lambda entry: entry.after.median)
    if len(entries) < 2:
        return None
    *others, slow = entries
    early = median(entry.after.median for entry in others)
    late = slow.after.median
    is_told_apart = slow.after.low > max(entry.after.high for entry in others)
    if not is_told_apart or late - early < SLOW * trace.timed.traced.median:
        return None
    values = {"rank": slow.lane, "late": MILLISECONDS * late, "early": MILLISECONDS * early}
    if len(others) == 1:
        template = N_(
            "Replica {rank} was slow inside backward: it entered its first all-reduce {late} ms after backward "
            "began, the other after {early} ms, and then waited for it."
        )
    else:
        template = N_(
            "Replica {rank} was slow inside backward: it entered its first all-reduce {late} ms after backward "
            "began, the others after {early} ms, and then waited for it."
        )
    return StepSentence(StepVerdictKind.SLOW_RANK, template, values)


def _overlap(trace: StepTrace) -> StepSentence | None:
    num_forwards = sum(span.phase is Phase.PARALLEL_APPLY for span in trace.spans)
    if num_forwards < 2:
        return None
    forward = next(time for time in trace.timed.phases if time.phase is Phase.PARALLEL_APPLY)
    total, on_clock = forward.together, forward.on_clock.median
    at_once = total / on_clock if on_clock else 0.0
    values = {
        "busy": num_forwards,
        "total": MILLISECONDS * total,
        "clock": MILLISECONDS * on_clock,
        "atonce": at_once,
    }
    if at_once > IN_TURNS:
        template = N_(
            "The forwards of {busy} replicas took {total} ms together and {clock} ms on the clock: on average "
            "{atonce} of them ran at once."
        )
    elif trace.timed.entries:
        return None  # ranks wait for each other in backward alone
    elif num_forwards == 2:
        template = N_("Nothing ran at the same time: one replica waited for the other.")
    else:
        template = N_("Nothing ran at the same time: each of {busy} replicas waited for the others.")
    return StepSentence(StepVerdictKind.OVERLAP, template, values)


def _gap(trace: StepTrace) -> StepSentence | None:
    usual = median([span.seconds for span in trace.spans] or [0.0])
    gap = _longest_gap(trace)
    if not usual or gap <= max(LONG_GAP * usual, HAIRLINES * trace.seconds):
        return None
    template = N_(
        "For {gap} ms in a row nothing ran, {times} times as long as the median phase: in the timeline, short "
        "phases are thin lines beside it."
    )
    values = {"gap": MILLISECONDS * gap, "times": gap / usual}
    return StepSentence(StepVerdictKind.GAP, template, values)


def _longest_gap(trace: StepTrace) -> float:
    """Seconds of the longest pause of all devices in a step, also before its first phase or after its last."""
    longest = reached = 0.0
    for span in sorted(trace.spans, key=lambda span: span.start):
        longest = max(longest, span.start - reached)
        reached = max(reached, span.start + span.seconds)
    return max(longest, trace.seconds - reached)


def _idle(trace: StepTrace) -> StepSentence | None:
    idle = sum(not replica.shard_size for replica in trace.replicas)
    if not idle:
        return None
    template = N_(
        "{idle} of {replicas} replicas had nothing to do: {samples} samples are cut into shards of {size}, and "
        "none was left."
    )
    values = {
        "idle": idle,
        "replicas": len(trace.replicas),
        "samples": trace.num_samples,
        "size": trace.replicas[0].shard_size,
    }
    return StepSentence(StepVerdictKind.IDLE, template, values)


def _share(times: StepTimes, phases: Iterable[Phase]) -> float:
    return sum(map(times.seconds_in, phases)) / times.traced.median
