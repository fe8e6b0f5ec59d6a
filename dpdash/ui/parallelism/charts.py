"""The charts of one step: its shards, what each device held, and its timeline beside another one's."""

import html
from typing import Final

import streamlit as st

from dpdash.charts.spec import Figure
from dpdash.charts.step import (
    Coordinates,
    imbalance,
    memory_figure,
    shards_figure,
    timeline_figure,
    with_share,
    with_spread,
)
from dpdash.core.config import EngineName, RunConfig
from dpdash.core.steps import Phase, StepTrace
from dpdash.findings.step import MILLISECONDS, mostly_watching, phase_shares, tracing_cost
from dpdash.problem.preview import points
from dpdash.ui.parallelism.step import ShownStep, engine_of
from dpdash.ui.parts.live_chart import chart
from dpdash.ui.parts.notices import escaped
from dpdash.ui.session.language import _, current, number, sentence

MAX_POINTS: Final = 800
"""Of all shards together, each with its due share."""


def show_shards_and_memory(step: ShownStep, trace: StepTrace) -> None:
    """Show the batch by its shards, and what each device held, got and gave."""
    language = current()
    shards = shards_figure(_points(step.config, trace), len(trace.replicas), language, step.config)
    chart("step", step.name, [shards, memory_figure(trace, language)])
    idle = [number(rank) for rank, replica in enumerate(trace.replicas) if not replica.shard_size]
    if idle:
        st.caption(escaped(_("Idle, without a shard: replica {ranks}.").format(ranks=", ".join(idle))))
    st.caption(escaped(" ".join(_memory_texts(trace))))


def show_phases(trace: StepTrace) -> None:
    """Show which colour and pattern of the timelines is which phase, and what it took of the step."""
    st.html(f"<div class='dpdash-phases'>{phases_html(trace)}</div>")


def phases_html(trace: StepTrace) -> str:
    """The phases of every way to do a step, each with its share of this one, its median and its spread."""
    shares = phase_shares(trace)
    medians = {time.phase: with_spread(time.on_clock, current()) for time in trace.timed.phases}
    return "".join(
        f"<span class='dpdash-phase dpdash-phase-{place}'>"
        f"{html.escape(with_share(phase, shares.get(phase, 0.0), current()))}"
        f"{_median_html(medians.get(phase))}</span>"
        for place, phase in enumerate(Phase, start=1)
    )


def _median_html(median: str | None) -> str:
    return "" if median is None else f" <small>{html.escape(median)}</small>"


def show_cost(trace: StepTrace) -> None:
    """Show how many steps were traced, what that costs, and which phases are mostly the watching itself."""
    said = tracing_cost(trace)
    texts = [sentence(said.template, said.values)]
    watched = [
        _("{phase} ({marks} of {median} ms)").format(
            phase=time.phase.value,
            marks=number(MILLISECONDS * time.marks, 2),
            median=number(MILLISECONDS * time.on_clock.median, 2),
        )
        for time in mostly_watching(trace)
    ]
    if watched:
        texts.append(_("Mostly the stopwatch itself: {phases}.").format(phases=", ".join(watched)))
    if trace.timed.entries:
        texts.append(_("◇ marks when a replica enters its first all-reduce."))
    st.caption(escaped(" ".join(texts)))


def show_timelines(step: ShownStep, trace: StepTrace, other: StepTrace | None) -> None:
    """Show a step's timeline, and the other one's on the same axis of time."""
    traces = [trace, other] if other is not None else [trace]
    longest = max(each.seconds for each in traces)
    name = f"{step.name}-{other.seconds if other else 0}"
    chart("timelines", name, [_timeline(each, longest) for each in traces])


def step_title(trace: StepTrace) -> str:
    """What did a step, in a few words."""
    engine = current().name(engine_of(trace))
    return _("{engine}, replicas: {replicas}").format(engine=engine, replicas=number(len(trace.replicas)))


def _timeline(trace: StepTrace, longest: float) -> Figure:
    language = current()
    return timeline_figure(trace, step_title(trace), longest, language)


def _points(config: RunConfig, trace: StepTrace) -> dict[int, tuple[Coordinates, Coordinates]]:
    stride = 1
    while sum(len(replica.samples[::stride]) for replica in trace.replicas) > MAX_POINTS:
        stride += 1
    return {
        rank: points(config, replica.samples[::stride])
        for rank, replica in enumerate(trace.replicas)
        if replica.samples
    }


def _memory_texts(trace: StepTrace) -> list[str]:
    texts = []
    if engine_of(trace) is EngineName.DDP:
        texts.append(
            _(
                "Every rank holds the whole batch, a model, what its optimizer remembers and the buckets of its "
                "gradients. The bytes moved are those of an all-reduce in a ring, counted and not measured."
            )
        )
    elif (ratio := imbalance(trace.replicas)) is not None:
        texts.append(
            _(
                "The first device held {ratio} times as much as the fullest of the others: it also has the whole "
                "batch, the model that is updated, the sum of the gradients and what the optimizer remembers."
            ).format(ratio=number(ratio))
        )
    if trace.emulated:
        texts.append(
            _(
                "Emulated: all replicas share one memory, so what each holds is counted from its tensors, and the "
                "bytes moved are those that GPUs would exchange."
            )
        )
    elif trace.is_memory_counted:
        texts.append(_("Memory is counted from the tensors that the step is known to hold."))
    return texts
