"""The waterfall of a step: each bar begins where the one before ended, and the last ends at the step."""

from typing import Any

import pytest

from dpdash.charts.waterfall import PATTERNS, ROLES, waterfall_figure
from dpdash.core.config import EngineName
from dpdash.core.scaling.plan import Point, ScalingMode
from dpdash.core.scaling.variants import Variant
from dpdash.core.scaling.waterfall import Part, Waterfall
from dpdash.core.translations import ENGLISH, language
from dpdash.findings.scaling.parts import waterfalls
from tests.unit.findings.scaling.made_up import MILLISECONDS, measured_study, usual_milliseconds
from tests.unit.sweeps.conftest import REPLICAS

ENGLISH_WORDS = language(ENGLISH)


def traces(found: tuple[Waterfall, ...]) -> dict[str, Any]:
    return {trace["uid"]: trace for trace in waterfall_figure(found, ENGLISH_WORDS).traces}


def numbers(found: tuple[Waterfall, ...]) -> list[str]:
    """What is written above the bars of one step."""
    return [each["text"] for each in waterfall_figure(found, ENGLISH_WORDS).layout["annotations"]]


def same(_point: Point, way: Variant, turn: int) -> float:
    """Steps of which nothing but the ideal can be told from noise."""
    return 4.0 + 0.1 * ((3 * turn + len(way)) % 5)


def test_bars_hang_together_and_end_at_the_step() -> None:
    found = waterfalls(measured_study(engines=(REPLICAS, EngineName.DDP), replicas=3))
    drawn = traces(found)
    for group, waterfall in enumerate(found):
        level, right = 0.0, group - 0.5
        for part in waterfall.parts:
            spec = drawn[f"part-{part}"]
            at = next(
                place for place, x in enumerate(spec["x"]) if abs(x + spec["width"][place] / 2 - group) < 0.5
            )
            assert spec["base"][at] == pytest.approx(level)
            assert spec["x"][at] > right - 1e-9
            level += spec["y"][at]
            right = spec["x"][at] + spec["width"][at]
        assert level == pytest.approx(drawn["step"]["y"][group])
        assert right == pytest.approx(drawn["step"]["x"][group])


def test_what_is_lost_in_noise_is_hollow_and_said_to_be_less_than_its_bound() -> None:
    found = waterfalls(measured_study(same))
    drawn, texts = traces(found), numbers(found)
    copies, ideal = drawn["part-copies"], drawn["part-ideal"]
    assert copies["marker"]["color"] == ["role:background"]
    assert copies["marker"]["line"]["color"] == [f"role:{ROLES[Part.COPIES]}"]
    assert copies["customdata"][0].startswith("less than 0.") and texts[-2].startswith("< 0.")
    assert ideal["marker"]["color"] == [f"role:{ROLES[Part.IDEAL]}"]
    assert " ± " in ideal["customdata"][0]


def test_a_negative_part_goes_down() -> None:
    def faster(point: Point, way: Variant, _turn: int) -> float:
        return 2.5 if way is Variant.ONE_BACKWARD else MILLISECONDS[point.engine][way]

    spec = traces(waterfalls(measured_study(faster)))["part-one_backward"]
    assert (spec["base"], spec["y"]) == ([2.9], [pytest.approx(-0.4)])


def test_a_noisy_step_is_grey() -> None:
    noisy = measured_study(lambda point, way, turn: usual_milliseconds(point, way, turn) * (1 + turn % 3))
    assert traces(waterfalls(noisy))["part-copies"]["marker"]["color"] == ["role:muted@0.35"]


@pytest.mark.parametrize(
    ("changes", "labels", "axis"),
    [
        ({"replicas": 3}, ["2 replicas", "3 replicas"], ""),
        ({"replicas": 5}, ["2", "3", "4", "5"], "replicas"),
        ({"engines": (REPLICAS, EngineName.DDP)}, ["emulated, 2", "DDP, 2"], "replicas"),
    ],
)
def test_steps_have_the_names_of_the_pages(changes: dict[str, Any], labels: list[str], axis: str) -> None:
    layout = waterfall_figure(waterfalls(measured_study(**changes)), ENGLISH_WORDS).layout
    assert layout["xaxis"]["ticktext"] == labels
    assert layout["xaxis"]["title"]["text"] == axis
    assert layout["xaxis"]["tickangle"] == 0, "turned labels would lie on the legend"


def test_one_step_has_its_numbers_above_its_bars_and_they_add_up() -> None:
    *parts, step = map(float, numbers(waterfalls(measured_study())))
    assert sum(parts) == pytest.approx(step)


def test_a_whole_cpu_that_others_use_makes_no_lines_of_the_bars() -> None:
    def busy(point: Point, way: Variant, _turn: int) -> float:
        return 400.0 if way is Variant.WHOLE_CPU else MILLISECONDS[point.engine][way]

    for study in (measured_study(), measured_study(busy)):
        found = waterfalls(study)
        low, high = waterfall_figure(found, ENGLISH_WORDS).layout["yaxis"]["range"]
        assert low <= 0 and found[0].step.milliseconds < high < 3 * found[0].step.milliseconds


def test_one_device_is_drawn_for_the_samples_of_a_step() -> None:
    strong, weak = (traces(waterfalls(measured_study(mode=mode, replicas=3))) for mode in ScalingMode)
    assert strong["device"]["y"] == [4.0, 4.0, None, 4.0, 4.0, None]
    assert weak["device"]["y"] == [8.0, 8.0, None, 12.0, 12.0, None]
    assert strong["cpu"]["name"] == "the whole CPU"
    assert "cpu" not in traces(waterfalls(measured_study(num_cores=1)))


def test_every_part_has_a_look_of_its_own() -> None:
    assert len(set(ROLES.values())) == len(set(PATTERNS.values())) == len(Part)
