"""What an exchange costs as files: every measurement as CSV, everything as JSON. Plain numbers in any language."""

import csv
import io
import json
from dataclasses import asdict
from typing import Any, Final

from pydantic import TypeAdapter

from dpdash.core.scaling.exchange_study import ExchangeStudy, Timing, Transfer
from dpdash.findings.scaling.exchange import ExchangeInStep, exchange_curves, in_step
from dpdash.findings.scaling.exchange_verdict import condition_sentences, mark, step_sentences, transfer_sentences
from dpdash.findings.scaling.sentence import Sentence
from dpdash.scaling.export import both

_STUDY: Final = TypeAdapter(ExchangeStudy)
COLUMNS: Final = (
    "measured",
    "way",
    "replicas",
    "bytes",
    "bucket_cap_mb",
    "accumulation_steps",
    "repeat",
    "seconds",
    "other_programs",
)


def as_csv(study: ExchangeStudy) -> str:
    """One row for each measurement: of an exchange alone, or of a step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_row, study.measurements))
    return text.getvalue()


def as_values(study: ExchangeStudy) -> dict[str, Any]:
    """The study with what follows from it: curves, steps and sentences in English."""
    steps = in_step(study)
    marked = mark(study, study.plan.hidden_width, study.plan.hidden_depth)
    said = (*transfer_sentences(study, marked), *step_sentences(study), *condition_sentences(study))
    return {
        **_STUDY.dump_python(study, mode="json", exclude={"owner"}),
        "gradient": None if marked is None else asdict(marked),
        "curves": [asdict(curve) for curve in exchange_curves(study)],
        "steps": None if steps is None else _steps(steps),
        "sentences": list(map(_sentence, said)),
    }


def as_json(study: ExchangeStudy) -> str:
    """The same as JSON."""
    return json.dumps(as_values(study), allow_nan=False)


def _row(one: Timing) -> tuple[object, ...]:
    subject = one.subject
    what: tuple[object, ...]
    if isinstance(subject, Transfer):
        what = "exchange", subject.way.value, subject.replicas, subject.num_bytes, "", ""
    else:
        what = "step", subject.variant.value, subject.replicas, "", subject.bucket_cap_mb, subject.micro_batches
    return (*what, one.repeat + 1, one.seconds, one.other_programs)


def _steps(found: ExchangeInStep) -> dict[str, Any]:
    return {
        "step": both(found.step),
        "without_all_reduce": both(found.without),
        "exchange": both(found.exchange),
        "buckets": [
            {
                "bucket_cap_mb": one.cap_mb,
                "buckets": one.count,
                "step": both(one.step),
                "hidden": both(one.hidden),
                "is_best": one is found.best,
            }
            for one in found.buckets
        ],
        "accumulation": [
            {
                "accumulation_steps": one.micro_batches,
                "exchange_once": both(one.once),
                "exchange_each": both(one.each),
                "saved": both(one.saved),
            }
            for one in found.accumulations
        ],
    }


def _sentence(said: Sentence) -> dict[str, Any]:
    return {"template": said.template, "values": dict(said.values)}
