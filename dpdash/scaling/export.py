"""A study as files: its turns, and the parts of its steps, as CSV; everything as JSON. Plain numbers."""

import csv
import io
import json
from dataclasses import asdict
from typing import Any, Final

from pydantic import TypeAdapter

from dpdash.core.scaling.study import Study
from dpdash.core.scaling.waterfall import Duration, Waterfall
from dpdash.core.translations import ENGLISH, language
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.fits import fit
from dpdash.findings.scaling.parts import waterfalls
from dpdash.findings.scaling.verdict import ScalingVerdict, verdicts

_STUDY: Final = TypeAdapter(Study)
COLUMNS: Final = (
    "engine",
    "replicas",
    "hidden_width",
    "repeat",
    "samples",
    "steps_per_second",
    "samples_per_second",
    "emulated",
    "oversubscribed",
    "variant",
    "other_programs",
    "waiting_seconds",
)
PART_COLUMNS: Final = ("engine", "hidden_width", "replicas", "part", "milliseconds", "error_milliseconds", "noisy")
STEP: Final = "step"
"""The name of the sum in the table of parts."""
DIGITS: Final = 6
"""Decimals of a millisecond: whole nanoseconds, so that parts add up to their step to the digit."""


def as_csv(study: Study) -> str:
    """One row for each measurement."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in study.measurements:
        point = one.point
        shared = study.is_oversubscribed(point.engine, point.replicas)
        writer.writerow(
            (
                point.engine.value,
                point.replicas,
                point.hidden_width,
                one.repeat + 1,
                one.samples,
                one.steps_per_second,
                one.samples_per_second,
                one.emulated,
                shared,
                one.variant.value,
                one.other_programs,
                one.waiting_seconds,
            )
        )
    return text.getvalue()


def parts_csv(study: Study) -> str:
    """One row for each part of each step, for each step, and for what stands beside the sum."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PART_COLUMNS)
    for one in waterfalls(study):
        for name, duration in (*one.parts.items(), (STEP, one.step), *one.beside.items()):
            writer.writerow(
                (
                    one.engine.value,
                    one.hidden_width,
                    one.replicas,
                    str(name),
                    _milliseconds(duration.nanoseconds),
                    _milliseconds(duration.error),
                    one.is_noisy,
                )
            )
    return text.getvalue()


def as_values(study: Study) -> dict[str, Any]:
    """The study with what follows from it: curves, parts of steps, fits and verdicts in English."""
    shown = curves(study)
    fits = ((curve, fit(curve, study.plan.mode)) for curve in shown)
    return {
        **_STUDY.dump_python(study, mode="json", exclude={"owner"}),
        "curves": [asdict(curve) for curve in shown],
        "points": [_point(one) for one in waterfalls(study)],
        "fits": [
            {"engine": curve.engine.value, "hidden_width": curve.hidden_width, **asdict(found)}
            for curve, found in fits
            if found is not None
        ],
        "verdicts": [_verdict(one) for one in verdicts(study, shown)],
    }


def as_json(study: Study) -> str:
    """The same as JSON."""
    return json.dumps(as_values(study), allow_nan=False)


def _point(one: Waterfall) -> dict[str, Any]:
    """A step with its parts, which add up to it to the digit, and what is measured beside the sum."""
    return {
        "engine": one.engine.value,
        "hidden_width": one.hidden_width,
        "replicas": one.replicas,
        "step_ms": _milliseconds(one.step.nanoseconds),
        "step_error_ms": _milliseconds(one.step.error),
        "parts": {part.value: both(duration) for part, duration in one.parts.items()},
        "beside": {name.value: both(duration) for name, duration in one.beside.items()},
        "one_device": one.device.value,
        "one_device_ms": _milliseconds(one.one_device.nanoseconds),
        "whole_cpu_ms": None if one.whole_cpu is None else _milliseconds(one.whole_cpu.nanoseconds),
        "speed_up": asdict(one.speed_up),
        "speed_up_of_cpu": None if one.speed_up_of_cpu is None else asdict(one.speed_up_of_cpu),
        "is_noisy": one.is_noisy,
        "num_turns": one.num_turns,
    }


def both(duration: Duration) -> dict[str, float]:
    """A time and its error, in milliseconds to the nanosecond."""
    return {"ms": _milliseconds(duration.nanoseconds), "error_ms": _milliseconds(duration.error)}


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, DIGITS)


def _verdict(said: ScalingVerdict) -> dict[str, Any]:
    english = language(ENGLISH)
    return {
        "engine": said.engine.value,
        "kind": said.kind.value,
        "sentences": [english.sentence(one.template, one.values) for one in said.sentences],
        "causes": [cause.part.value for cause in said.causes if cause.costs],
        "changes": [{change.setting: change.value} for change in said.changes],
    }
