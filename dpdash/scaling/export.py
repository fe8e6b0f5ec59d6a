"""A study as files: every measurement as CSV, everything as JSON. Plain numbers whatever the language."""

import csv
import io
import json
from dataclasses import asdict
from typing import Any, Final

from pydantic import TypeAdapter

from dpdash.core.scaling.study import Study
from dpdash.findings.scaling.curves import curves
from dpdash.findings.scaling.fits import fit
from dpdash.findings.scaling.verdict import verdicts

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
)


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
            )
        )
    return text.getvalue()


def as_values(study: Study) -> dict[str, Any]:
    """The study with what follows from it: curves, fits and verdicts in English."""
    shown = curves(study)
    fits = ((curve, fit(curve, study.plan.mode)) for curve in shown)
    return {
        **_STUDY.dump_python(study, mode="json", exclude={"owner"}),
        "curves": [asdict(curve) for curve in shown],
        "fits": [
            {"engine": curve.engine.value, "hidden_width": curve.hidden_width, **asdict(found)}
            for curve, found in fits
            if found is not None
        ],
        "verdicts": [asdict(one) for one in verdicts(study, shown)],
    }


def as_json(study: Study) -> str:
    """The same as JSON."""
    return json.dumps(as_values(study), allow_nan=False)
