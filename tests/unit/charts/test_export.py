import re

import pytest

from dpdash.charts.export import colored, merged, mixed, standalone_page
from dpdash.charts.spec import Figure, Update

FIGURE = Figure(
    "name",
    "description",
    ({"uid": "a", "type": "scatter", "x": [1], "y": [2], "line": {"color": "role:primary@0.5"}},),
    {"title": {"text": "A title"}, "font": {"color": "role:text"}, "shapes": [{"type": "line"}]},
)
UPDATE = Update(traces={"a": {"y": [5]}}, layout={"shapes": [{"type": "rect"}], "height": 300})
COLORS = {"primary": "#ff0000", "text": "#102030"}


def test_an_update_is_laid_over_the_base() -> None:
    spec = merged(FIGURE, UPDATE)
    assert spec["data"][0]["x"] == [1]
    assert spec["data"][0]["y"] == [5]
    assert spec["layout"]["shapes"] == [{"type": "line"}, {"type": "rect"}]
    assert spec["layout"]["height"] == 300
    assert FIGURE.layout["shapes"] == [{"type": "line"}], "the base stays as it was"


def test_roles_become_colours_with_their_opacity() -> None:
    spec = colored(merged(FIGURE, UPDATE), COLORS)
    assert spec["data"][0]["line"]["color"] == "rgba(255,0,0,0.5)"
    assert spec["layout"]["font"]["color"] == "#102030"


def test_an_unknown_role_is_an_error() -> None:
    with pytest.raises(KeyError):
        colored("role:nobody", COLORS)


def test_mixed_lies_between_two_colours() -> None:
    assert mixed("#000000", "#ffffff", 0.8) == "#333333"
    assert mixed("#102030", "#ffffff", 1) == "#102030"


def test_the_page_stands_alone_and_quotes_what_it_says() -> None:
    page = standalone_page("<b>", "a & b", [(FIGURE, UPDATE), (FIGURE, UPDATE)], COLORS, "en")
    assert "&lt;b&gt;" in page
    assert "a &amp; b" in page
    assert page.count("Plotly.newPlot(") == 2
    assert not re.search(r"<script[^>]+src=", page), "nothing is fetched"
