import re
from dataclasses import replace

import numpy as np
import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import RunFinished, RunStarted
from dpdash.core.translations import LANGUAGES, language
from dpdash.files.report import MOST_CHARTED, light_colors, report, reported
from dpdash.files.run import WholeRun
from tests.fakes import block_of
from tests.unit.files.made_up import whole_run

ENGLISH = language("en")
EMULATED = RunConfig(samples=100, epochs=30, engine=EngineName.CPU_REPLICAS, replicas=2)
TAGS = re.compile(r"<script.*?</script>|<style>.*?</style>|<[^>]+>", re.DOTALL)


def page_of(*runs: WholeRun, code: str = "en") -> str:
    return report([reported(run, language(code)) for run in runs], language(code))


def words_of(page: str) -> str:
    return " ".join(TAGS.sub(" ", page).split())


def test_a_report_says_what_was_found() -> None:
    words = words_of(page_of(whole_run(config=EMULATED, name="The best", note="a note")))
    for expected in (
        "Run The best",
        "Status finished",
        "Started 1970-01-01 00:16:40 UTC",
        "Epochs trained 30",
        "Slope (true 3) 2.50000",
        "Intercept (true 0) 0.125000",
        "Noise floor 0.250000",
        "cpu:0, cpu:1: emulated, threads on the CPU stand in for GPUs",
        "Samples 100",
        "Engine DataParallel, emulated on CPU",
        "Note a note",
    ):
        assert expected in words


def test_a_run_of_five_epochs_that_is_over_has_not_just_begun() -> None:
    words = words_of(
        page_of(whole_run(log=(replace(block_of(1, 5), loss=np.full(5, 80.0)), RunFinished(5, 3.0, 0.0, 1.0))))
    )
    assert "It ended at epoch 5, too early for a trend" in words


@pytest.mark.parametrize(
    ("code", "said"),
    [("en", "CPU core × 2, A card 0, A card 1"), ("pt_BR", "núcleo da CPU × 2, A card 0, A card 1")],
)
def test_processors_are_named_in_the_readers_language_and_shared_ones_once(code: str, said: str) -> None:
    devices = ("CPU core", "CPU core", "A card 0", "A card 1")
    started = RunStarted(1.0, devices, (25,) * 4, emulated=False, one_device_step_seconds=None)
    assert f" {said} " in words_of(page_of(whole_run(log=(started, block_of(1, 30))), code=code))


def test_it_opens_without_a_network() -> None:
    page = page_of(whole_run(), whole_run(run_id="other"))
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)
    assert page.count("Plotly.newPlot(") == 5, "one for both, two for each"


def test_a_comparison_marks_what_differs_and_puts_it_first() -> None:
    other = whole_run(config=RunConfig(samples=100, epochs=30, learning_rate=0.5), run_id="other")
    page = page_of(whole_run(), other)
    assert (
        "<tr class='differs'><th scope='row'>Learning rate ≠</th><td>0.01 → 0.5 at 11</td><td>0.5</td></tr>"
        in page
    )
    assert page.count("class='differs'") == 1
    assert page.index("Learning rate ≠") < page.index(">Samples<")
    assert "2 runs side by side" in page


def test_a_comparison_of_many_runs_has_all_of_them_in_one_chart() -> None:
    runs = [whole_run(run_id=f"run{number}") for number in range(MOST_CHARTED + 3)]
    page = page_of(*runs)
    assert page.count("Plotly.newPlot(") == 1 + 2 * MOST_CHARTED
    assert all(f"run{number}" in page for number in range(MOST_CHARTED + 3))


def test_a_comparison_says_when_its_curves_are_thinned() -> None:
    long = (RunStarted(1.0, ("cpu",), (100,), emulated=False, one_device_step_seconds=None), block_of(1, 5_000))
    both = page_of(whole_run(log=long), whole_run(run_id="other"))
    assert re.search(r"thinned: \d+ of 5000 epochs drawn, extremes kept", both)
    assert "thinned" not in page_of(whole_run(), whole_run(run_id="other"))
    assert "<td>1 first</td><td>2 second</td>" in page_of(
        whole_run(name="first"), whole_run(run_id="other", name="second")
    )


def test_hostile_names_are_text() -> None:
    name = "</script><script>alert(1)</script><a href='javascript:alert(1)'>"
    page = page_of(whole_run(name=name, note=name), whole_run(run_id="other", name=name))
    assert "<script>alert" not in page
    assert "<a href" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_an_imported_run_is_said_to_be() -> None:
    assert "finished, imported from a file" in words_of(page_of(whole_run(is_imported=True)))


def test_a_run_without_epochs_has_a_report() -> None:
    run = whole_run(())
    assert "Epochs trained 0" in words_of(page_of(run, replace(run)))


@pytest.mark.parametrize("code", LANGUAGES)
def test_it_is_there_in_every_language(code: str) -> None:
    assert f'<html lang="{language(code).tag}">' in page_of(whole_run(), code=code)


def test_nothing_is_left_untranslated() -> None:
    words = words_of(page_of(whole_run(name="⟦name⟧"), code="pseudo"))
    assert [word for word in ("Status", "Loss", "Samples", "Trained on") if f"⟦{word}" not in words] == []


def test_colours_are_those_of_the_light_theme() -> None:
    assert light_colors()["background"] == "#FFFFFF"
    assert set(light_colors()) >= {"text", "primary", "muted", "grid", "reference", "series-1", "series-8"}
