"""Where the time of a traced step went, said from its own numbers.

A sentence is a template with its numbers, so that it can be translated and its numbers written as the reader's
language writes them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final

from dpdash.core.errors import N_
from dpdash.core.steps import Phase, StepTrace, seconds_on_clock

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
ALIKE: Final = 1.1
"""Two steps within a tenth of each other are not told apart: one step each says no more."""


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
    SLOWER = "slower"
    FASTER = "faster"
    ALIKE = "alike"


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
    return {phase: _share(trace, (phase,)) for phase in Phase if any(span.phase is phase for span in trace.spans)}


def step_verdict(trace: StepTrace) -> tuple[StepSentence, ...]:
    """Where the time went, whether the replicas worked at the same time, and who had nothing to do."""
    looks = (_where_the_time_went, _overlap, _gap, _idle)
    return tuple(sentence for look in looks if (sentence := look(trace)) is not None)


def comparison(trace: StepTrace, other: StepTrace) -> StepSentence:
    """How a step compares with the one that is shown beside it."""
    values = {"other": MILLISECONDS * other.seconds, "this": MILLISECONDS * trace.seconds}
    ratio = other.seconds / trace.seconds
    if 1 / ALIKE <= ratio <= ALIKE:
        template = N_(
            "The step beside it took {other} ms, this one {this} ms: one step each does not tell them apart."
        )
        return StepSentence(StepVerdictKind.ALIKE, template, values)
    if ratio > 1:
        template = N_(
            "The step beside it took {other} ms, {ratio} times as long as this one, which took {this} ms."
        )
        return StepSentence(StepVerdictKind.SLOWER, template, {**values, "ratio": ratio})
    template = N_(
        "The step beside it took {other} ms and was {ratio} times as fast as this one, which took {this} ms."
    )
    return StepSentence(StepVerdictKind.FASTER, template, {**values, "ratio": 1 / ratio})


def _where_the_time_went(trace: StepTrace) -> StepSentence:
    computing, moving = _share(trace, COMPUTING), _share(trace, MOVING)
    updating = _share(trace, UPDATING)
    between = 1 - seconds_on_clock(trace.spans) / trace.seconds
    values = {
        "milliseconds": MILLISECONDS * trace.seconds,
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


def _overlap(trace: StepTrace) -> StepSentence | None:
    forwards = [span for span in trace.spans if span.phase is Phase.PARALLEL_APPLY]
    if len(forwards) < 2:
        return None
    total, on_clock = sum(span.seconds for span in forwards), seconds_on_clock(forwards)
    at_once = total / on_clock if on_clock else 0.0
    values = {
        "busy": len(forwards),
        "total": MILLISECONDS * total,
        "clock": MILLISECONDS * on_clock,
        "atonce": at_once,
    }
    if at_once > IN_TURNS:
        template = N_(
            "The forwards of {busy} replicas took {total} ms together and {clock} ms on the clock: on average "
            "{atonce} of them ran at once."
        )
    elif len(forwards) == 2:
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


def _share(trace: StepTrace, phases: Iterable[Phase]) -> float:
    wanted = set(phases)
    return seconds_on_clock(span for span in trace.spans if span.phase in wanted) / trace.seconds
