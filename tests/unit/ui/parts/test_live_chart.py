"""What the two elements send; what the browser does with it is tested in a browser."""

from streamlit.testing.v1 import AppTest

from dpdash.web.assets import ASSET_FOLDER


def page() -> None:
    from dpdash.charts.slope import slope_base, slope_update
    from dpdash.core.config import RunConfig
    from dpdash.core.history import History
    from dpdash.core.translations import language
    from dpdash.ui.parts import live_chart

    figure = slope_base(RunConfig(), language("en"), (3.0, 0.0))
    live_chart.chart("one", "run-1", [figure])
    live_chart.chart("two", "run-1", [figure, figure])
    update = slope_update(History().snapshot())
    live_chart.feed("run-1", 1, {"one": [update], "two": [update, update]}, wakes=True)


def test_charts_and_their_feed_stand_on_a_page() -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception


def test_the_script_offers_what_the_elements_call() -> None:
    script = (ASSET_FOLDER / "live_chart.js").read_text()
    assert "export function showChart" in script
    assert "export function receiveFeed" in script
