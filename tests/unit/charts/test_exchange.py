"""What an exchange costs, as it is drawn: in milliseconds over bytes, and step beside step."""

from typing import Any

import pytest

from dpdash.charts.exchange import accumulation_figure, buckets_figure, curve_figure, written_bytes
from dpdash.charts.spec import Figure
from dpdash.core.scaling.exchange_study import SIZES, Subject, Transfer
from dpdash.core.translations import ENGLISH, language
from dpdash.findings.scaling.exchange import exchange_curves, in_step
from dpdash.findings.scaling.exchange_verdict import mark
from tests.unit.findings.scaling.made_up_exchanges import (
    COMPUTING,
    EXCHANGE,
    LATENCY,
    PER_BYTE,
    seconds_of,
    study_of,
)

WORDS = language(ENGLISH)


def traces(figure: Figure) -> dict[str, Any]:
    return {trace["uid"]: trace for trace in figure.traces}


def test_points_off_the_line_are_hollow_and_the_line_goes_through_the_others() -> None:
    def bimodal(turn: Subject) -> float:
        is_odd = isinstance(turn, Transfer) and turn.num_bytes == 2**19
        return seconds_of(turn) * (2 if is_odd else 1)

    drawn = traces(curve_figure(exchange_curves(study_of(bimodal)), None, WORDS))
    points, line = drawn["curve-all_reduce-2"], drawn["fitted"]
    symbols = dict(zip(points["x"], points["marker"]["symbol"], strict=True))
    assert {size for size, symbol in symbols.items() if symbol == "circle-open"} == {2**19}
    assert [size for size in points["x"] if size in SIZES] == list(SIZES)
    assert line["y"][0] == pytest.approx(1e3 * (LATENCY + 4 * PER_BYTE), rel=0.01)
    assert line["y"][-1] == pytest.approx(1e3 * (LATENCY + 2**26 * PER_BYTE), rel=0.01)


def test_the_gradient_has_its_predicted_time_and_the_measured_one_where_there_is_one() -> None:
    study = study_of()
    curves = exchange_curves(study)
    both = traces(curve_figure(curves, mark(study, 512, 2), WORDS))["gradient-times"]
    assert both["x"] == [1_056_772] * 2 and both["text"] == ["predicted", "measured"]
    alone = traces(curve_figure(curves, mark(study, 1024, 2), WORDS))["gradient-times"]
    assert alone["text"] == ["predicted"]
    assert "gradient-times" not in traces(curve_figure(curves, None, WORDS))


def test_a_step_is_what_it_computes_and_what_of_its_exchange_is_seen_and_the_rest_is_above_it() -> None:
    found = in_step(study_of())
    assert found is not None
    drawn = traces(buckets_figure(found, WORDS))
    assert drawn["computing"]["y"] == pytest.approx([1e3 * COMPUTING] * 5)
    assert drawn["shown"]["y"] == pytest.approx([0.0, *(1e3 * EXCHANGE * part for part in (1, 0.5, 0.5, 0.5))])
    assert drawn["hidden"]["y"] == pytest.approx([0.0, *(1e3 * EXCHANGE * part for part in (0, 0.5, 0.5, 0.5))])
    assert ["★" in name for name in drawn["shown"]["x"]] == [False, False, True, False, False]


def test_micro_batches_are_drawn_with_one_exchange_and_with_as_many() -> None:
    found = in_step(study_of())
    assert found is not None
    drawn = traces(accumulation_figure(found, WORDS))
    assert drawn["once"]["x"] == ["1", "2", "4", "8"]
    assert drawn["each"]["y"][-1] - drawn["once"]["y"][-1] == pytest.approx(7e3 * EXCHANGE)


@pytest.mark.parametrize(
    ("num_bytes", "text"), [(4, "4 B"), (1024, "1 KiB"), (1_056_772, "1.01 MiB"), (2**26, "64 MiB")]
)
def test_bytes_are_written_in_a_unit_that_fits(num_bytes: int, text: str) -> None:
    assert written_bytes(num_bytes, WORDS) == text
