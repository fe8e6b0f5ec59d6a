import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given

from dpdash.charts.fit import X_RANGE, y_range
from dpdash.core.config import TRUE_SLOPE, EngineName, RunConfig
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import PSEUDO
from dpdash.problem.preview import preview
from dpdash.web import poster as posters
from dpdash.web.poster import MOST_QUERY_BYTES, MOST_SAMPLES, SIDE, poster
from tests.strategies import hostile_queries

ROOT = Path(__file__).parents[3]
CONFIG = RunConfig(samples=500, seed=7, engine=EngineName.CPU_REPLICAS, replicas=3)


def shown(query: str = "", path: str = "/", language: str | None = None, asked: str = "") -> tuple[str, str]:
    scope: dict[str, Any] = {
        "type": "http",
        "path": path,
        "query_string": query.encode("latin-1", "replace"),
        "headers": [(b"accept-language", asked.encode())],
    }
    return poster(scope, ServerSettings(language=language))


def paths(html: str) -> dict[str, str]:
    return {
        str(path.get("class")): str(path.get("d"))
        for path in ElementTree.fromstring(html[html.index("<div") :]).iter("path")
    }


def ends(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?\d+) (-?\d+)", path)]


def test_it_shows_the_data_and_the_untrained_line_of_the_settings_in_the_address() -> None:
    drawn = paths(shown(urlencode(CONFIG.to_query()))[1])
    known = preview(CONFIG)
    low, high = y_range(known.y)
    for rank in range(3):
        points = ends(drawn[f"series-{rank + 1}"])
        assert len(points) == (known.replica == rank).sum()
    lines = {"fit": (known.slope, known.intercept), "true": (TRUE_SLOPE, 0.0)}
    for name, (slope, intercept) in lines.items():
        for (x, y), edge in zip(ends(drawn[name]), X_RANGE, strict=True):
            assert x == SIDE * (edge - X_RANGE[0]) / (X_RANGE[1] - X_RANGE[0])
            assert y == pytest.approx(SIDE * (high - (slope * edge + intercept)) / (high - low), abs=0.51)


def test_without_settings_in_the_address_it_shows_what_the_page_opens_with() -> None:
    assert "series-2" in paths(shown()[1])
    assert shown() == shown("samples=10000")


def test_a_run_that_may_have_trained_has_no_untrained_line() -> None:
    assert "fit" not in paths(shown("run=abc&samples=100")[1])
    assert "true" in paths(shown("run=abc&samples=100")[1])


def test_a_run_whose_samples_are_not_in_the_address_may_have_own_data_and_gets_the_title_alone() -> None:
    assert paths(shown("run=abc")[1]) == {}


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (f"samples={MOST_SAMPLES + 1}", "/"),
        ("samples=10000000", "/"),
        ("hidden_depth=8&hidden_width=4096", "/"),
        ("", "/parallelism"),
        ("x=" + "y" * MOST_QUERY_BYTES, "/"),
    ],
)
def test_what_would_take_long_to_draw_and_other_pages_get_the_title_alone(query: str, path: str) -> None:
    assert paths(shown(query, path)[1]) == {}
    assert "y = 3x + noise" in shown(query, path)[1]


@given(hostile_queries())
def test_whatever_an_address_holds_a_poster_is_shown(query: str) -> None:
    html = shown(query)[1]
    assert html.count("<") < 200
    assert "y = 3x" in html


@pytest.mark.parametrize(
    ("asked", "language", "tag"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", None, "pt-BR"),
        ("pt", None, "pt-BR"),
        ("en-GB,pt;q=0.9", None, "en"),
        ("pt-BR", "en", "en"),
        ("", "pt_BR", "pt-BR"),
        ("*", None, "en"),
        ("'\"><script>", None, "en"),
        ("", PSEUDO, "en-x-pseudo"),
    ],
)
def test_it_speaks_the_servers_language_or_else_the_visitors(asked: str, language: str | None, tag: str) -> None:
    spoken, html = shown(asked=asked, language=language)
    assert spoken == tag
    assert ("ruído" in html) is (tag == "pt-BR")
    assert ("⟦" in html) is (language == PSEUDO)
    assert "<script" not in html


def test_it_has_the_themes_colours() -> None:
    themes = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    light, dark = shown()[1].split("@media (prefers-color-scheme: dark)")
    for base, style in (("light", light), ("dark", dark.partition("}")[0])):
        wanted = {name: themes[base][name] for name in ("backgroundColor", "textColor", "primaryColor")}
        wanted |= {f"series-{n}": color for n, color in enumerate(themes[base]["chartCategoricalColors"], 1)}
        for name, color in wanted.items():
            assert f"--{name}: {color};" in style


def test_a_screen_reader_is_told_what_it_shows() -> None:
    html = shown(asked="pt-BR")[1]
    label = re.search(r'<figure role="img" aria-label="([^"]*)"', html)
    assert label is not None
    assert "400" in label[1]


def test_forty_visitors_have_it_drawn_once_and_few_are_kept() -> None:
    posters._poster.cache_clear()
    for _phone in range(40):
        shown()
    assert posters._poster.cache_info().misses == 1
    assert posters._poster.cache_info().maxsize is not None
