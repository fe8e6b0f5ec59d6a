"""What is said about a step beside its charts: its phases and its memory."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from dpdash.core.steps import OneStep, Phase, ReplicaStep, Span, StepTrace, step_times
from dpdash.core.translations import language
from dpdash.ui.parallelism.charts import _memory_texts, phases_html
from dpdash.ui.parts import frame
from dpdash.ui.session.language import speaking

CONFIG: Final = Path(__file__).parents[4] / ".streamlit/config.toml"
COUNTED = "Memory is counted from the tensors that the step is known to hold."
REPLICA = ReplicaStep("CPU", 5, (0, 1), 1.0, (1.0,), 0, 0, 1_000)
TRACE = StepTrace("single", False, 5, ("w",), 1, (REPLICA,), (1.0,), (1.0,), 0.0, (), 0.010)


@pytest.mark.parametrize("device", ["CPU", "A card with CPU in its name"])
def test_memory_is_said_to_be_counted_where_no_device_tells_it(device: str) -> None:
    told = replace(TRACE, replicas=(replace(REPLICA, device=device),))
    counted = replace(told, is_memory_counted=True)
    with speaking(language("en")):
        assert COUNTED in _memory_texts(counted)
        assert COUNTED not in _memory_texts(told)
        assert COUNTED not in _memory_texts(replace(counted, emulated=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phase_has_the_same_colour_beside_a_timeline_as_in_it(theme: str) -> None:
    """Outside its components, Streamlit has no variable for the colours of charts."""
    wanted = tomllib.loads(CONFIG.read_text())["theme"][theme]["chartCategoricalColors"]
    pairs = re.findall(r"--dpdash-phase: light-dark\((\S+), (\S+)\);", frame.STYLE.read_text())
    assert [pair[theme == "dark"] for pair in pairs] == [color.lower() for color in wanted]
    assert len(pairs) == len(Phase)


def test_every_phase_stands_beside_the_timelines_with_its_share_of_the_step() -> None:
    trace = replace(TRACE, spans=(Span(Phase.BACKWARD, 0, 0.0, 0.004),))
    with speaking(language("en")):
        shown = re.findall(r"dpdash-phase-(\d)'>([^<]*)<", phases_html(trace))
    assert [int(place) for place, _text in shown] == list(range(1, len(Phase) + 1))
    assert ("6", "backward 40 % ") in shown and ("1", "scatter 0 %") in shown


def test_a_phase_has_its_median_and_its_spread() -> None:
    steps = [OneStep((Span(Phase.BACKWARD, 0, 0.0, seconds),), 0.010) for seconds in (0.003, 0.004, 0.005)]
    trace = replace(TRACE, times=step_times(steps))
    with speaking(language("pt_BR")):
        assert "backward 40 % <small>4,0 ± 0,5 ms</small>" in phases_html(trace)
