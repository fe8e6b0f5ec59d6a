"""The Parallelism page without a browser: whose step it shows, what it says of it, and what its button does."""

import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
from dpdash.core.steps import Phase
from dpdash.core.translations import LANGUAGES, PSEUDO
from dpdash.runs.service import Pace, RunService
from dpdash.ui.parallelism.traces import step_traces
from dpdash.ui.parts.notices import escaped
from tests.app.conftest import OpenPage, put
from tests.app.driving import again, go
from tests.app.visible import visible_texts
from tests.fakes import eventually

PARALLELISM, TRAIN = "../pages/parallelism.py", "../pages/train.py"
FOUR = {"samples": "200", "epochs": "40", "engine": "cpu_replicas", "replicas": "4"}
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{2,}")
ICON = re.compile(r":material/\w+:|:[a-z]+-badge\[|\(Ctrl\+\S+\)")
LONG = 60.0
"""Seconds for a trace that is not to be left undone, however busy the machine is."""
CELL = re.compile(r"<td>([^<]*)</td>")


def settled(page: AppTest) -> AppTest:
    """The page when the steps that it asked for are measured."""
    for _ in range(3):
        eventually(lambda: not step_traces()._waiting)
        again(page)
    return page


def table(page: AppTest) -> str:
    bodies: list[str] = [html.body for html in page.html]
    return next(body for body in bodies if "dpdash-gradients" in body)


def cells(page: AppTest) -> list[list[str]]:
    return [CELL.findall(row) for row in re.findall(r"<tr>(.*?)</tr>", table(page))][1:]


def read(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def charts(page: AppTest, uid: str) -> list[str]:
    """Names of the figures that have a trace with this uid."""
    components = page.get("bidi_component")
    figures = [figure for each in components for figure in json.loads(each.proto.json)["figures"]]
    return [figure["name"] for figure in figures if any(trace["uid"] == uid for trace in figure["traces"])]


def test_a_step_that_is_there_while_the_page_is_still_drawn_is_shown(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(text: str) -> str:
        eventually(lambda: not step_traces()._waiting)
        return escaped(text)

    monkeypatch.setattr("dpdash.ui.parallelism.page.escaped", slowly)
    page = go(open_page("en", **FOUR), PARALLELISM)
    assert len(charts(page, Phase.PARALLEL_APPLY)) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_first_visit_shows_a_step_of_the_sidebars_settings(language: str, open_page: OpenPage) -> None:
    page = settled(go(open_page(language, **FOUR), PARALLELISM))
    assert len(charts(page, "replica-3")) == len(charts(page, "memory")) == 1
    assert len(charts(page, Phase.PARALLEL_APPLY)) == 2, "the step, and one beside it"
    assert len(cells(page)) == 4 + 3
    assert page.query_params["replicas"] == "4"


def test_the_contributions_sum_to_the_gradient(open_page: OpenPage) -> None:
    *replicas, total, given, exact = cells(settled(go(open_page(**FOUR), PARALLELISM)))
    contributions = [read(row[-1]) for row in replicas]
    for samples, weight, gradient, contribution in replicas:
        assert (samples, weight) == ("50", "0.2500")
        assert read(weight) * read(gradient) == pytest.approx(read(contribution), rel=1e-5)
    for row in (total, given, exact):
        assert sum(contributions) == pytest.approx(read(row[0]), rel=1e-5)


def test_an_idle_replica_is_named(open_page: OpenPage) -> None:
    page = settled(go(open_page(**FOUR | {"samples": "9"}), PARALLELISM))
    assert "– (idle)" in table(page)
    assert any("Idle, without a shard: replica 3" in caption.value.replace("\\", "") for caption in page.caption)
    assert any("1 of 4 replicas had nothing to do" in text.value.replace("\\", "") for text in page.markdown)


def test_every_text_went_through_gettext(open_page: OpenPage) -> None:
    page = go(open_page(PSEUDO, **FOUR | {"samples": "9"}), PARALLELISM)
    texts = [*visible_texts(page), *visible_texts(settled(page))]
    assert len(texts) > 80

    def rest(text: str) -> str:
        before = None
        while before != text:
            before, text = text, BRACKETED.sub("", text)
        return ICON.sub("", text)

    names_of_languages = set(LANGUAGES.values())
    assert [text for text in texts if WORD.search(rest(text)) and text not in names_of_languages] == []


def test_ones_own_run_is_traced_while_it_stands(open_page: OpenPage, service: RunService) -> None:
    page = open_page(**FOUR | {"epochs": "100000"})
    put(page, "pace", "slow")
    page.button(key="transport_start").click().run()
    run_id = page.session_state["run"]
    eventually(lambda: service.runs.snapshot(run_id).history.num_epochs > 0)
    page.button(key="transport_pause").click().run()
    eventually(lambda: service.runs.snapshot(run_id).status is RunStatus.PAUSED)
    first = service.runs.snapshot(run_id).history.traced
    go(page, PARALLELISM).button(key="trace_step").click().run()
    eventually(lambda: service.runs.snapshot(run_id).history.traced != first)
    again(page)
    assert service.runs.snapshot(run_id).status is RunStatus.PAUSED
    epoch = service.runs.snapshot(run_id).history.num_epochs + 1
    assert any(f"first step of epoch {epoch} of the run" in caption.value for caption in page.caption)
    service.stop(run_id, "a browser")


def test_a_run_that_is_over_keeps_its_step_until_another_is_measured(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.runs.run.FIRST_TRACE_SECONDS", LONG)
    page = open_page(**FOUR)
    put(page, "pace", "max")
    page.button(key="transport_start").click().run()
    assert service.runs.wait(page.session_state["run"], 30)
    go(again(page), PARALLELISM)
    assert any("first step of epoch 2 of the run" in caption.value for caption in page.caption)
    page.button(key="trace_step").click().run()
    settled(page)
    assert any("settings of the run that is shown" in caption.value for caption in page.caption)


def test_a_run_that_is_over_without_a_step_is_measured_with_its_settings_at_once(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.runs.run.FIRST_TRACE_SECONDS", 0.0)
    run_id = service.start(RunConfig(samples=90, epochs=20), "somebody else", Pace.full_speed())
    assert service.runs.wait(run_id, 30)
    page = go(open_page(run=run_id), PARALLELISM)
    settled(page)
    assert any("settings of the run that is shown" in caption.value for caption in page.caption)


def test_a_run_whose_step_is_a_lot_of_work_says_how_to_get_one(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.runs.run.FIRST_TRACE_SECONDS", 0.0)
    monkeypatch.setattr("dpdash.ui.parallelism.step.MOST_WORK_UNASKED", 0.0)
    config = RunConfig(samples=90, epochs=20, engine="cpu_replicas", replicas=3)
    run_id = service.start(config, "somebody else", Pace.full_speed())
    assert service.runs.wait(run_id, 30)
    assert service.runs.snapshot(run_id).history.traced is None
    page = go(open_page(run=run_id), PARALLELISM)
    (info,) = [info.value for info in page.info if "traced" in info.value]
    assert info == (
        "No step of this run has been traced yet. Trace a step does it 20 times, in turns with as many that "
        "nobody watches."
    )
    page.select_slider(key="samples").set_value(200).run()
    page.button(key="trace_step").click().run()
    settled(page)
    assert len(cells(page)) == 3 + 3 and cells(page)[0][0] == "30"
    assert any("settings of the run that is shown" in caption.value for caption in page.caption)


def test_a_slow_step_says_how_long_its_trace_takes(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.runs.run.FIRST_TRACE_SECONDS", 0.0)
    monkeypatch.setattr("dpdash.ui.parallelism.step.MOST_WORK_UNASKED", 0.0)
    monkeypatch.setattr("dpdash.core.history.HistorySnapshot.epochs_per_second", 4.0)
    run_id = service.start(RunConfig(samples=90, epochs=20, global_batch_size=45), "ann", Pace.full_speed())
    assert service.runs.wait(run_id, 30)
    page = go(open_page(run=run_id), PARALLELISM)
    assert any("That takes about 5 s." in info.value for info in page.info), "forty steps of an eighth of a second"


def test_the_page_says_what_tracing_costs(open_page: OpenPage) -> None:
    page = settled(go(open_page(**FOUR), PARALLELISM))
    (said,) = [caption.value for caption in page.caption if "warm steps" in caption.value]
    assert re.match(r"20 warm steps: the median ± .* [\d.]+ times as long\.", said.replace("\\", ""))
    (phases,) = [html.body for html in page.html if "class='dpdash-phases'" in html.body]
    assert len(re.findall(r"<small>[\d.]+ ± [\d.]+ ms</small>", phases)) == len(Phase)


def test_somebody_elses_run_can_only_be_looked_at(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.runs.run.FIRST_TRACE_SECONDS", LONG)
    config = RunConfig(samples=50, epochs=100_000, engine="cpu_replicas", replicas=3)
    run_id = service.start(config, "somebody else", Pace.rate(2.0))
    eventually(lambda: service.runs.snapshot(run_id).history.traced is not None)
    before = service.runs.snapshot(run_id).history.traced
    page = go(open_page(run=run_id), PARALLELISM)
    assert page.button(key="trace_step").disabled
    assert len(cells(page)) == 3 + 3
    assert service.runs.snapshot(run_id).history.traced == before
    service.stop(run_id, "somebody else")


def test_the_step_beside_it_is_chosen_on_the_page(open_page: OpenPage) -> None:
    page = settled(go(open_page(**FOUR), PARALLELISM))
    page.selectbox(key="compared_engine").set_value("cpu_replicas").run()
    page.slider(key="compared_replicas").set_value(3).run()
    settled(page)
    names = charts(page, Phase.PARALLEL_APPLY)
    assert [re.findall(r"\d+", name) for name in names] == [["4"], ["3"]]


def test_a_heavy_step_is_measured_only_when_it_is_asked_for(open_page: OpenPage) -> None:
    page = go(open_page(samples="10000", hidden_depth="2", hidden_width="512", replicas="1"), PARALLELISM)
    assert not step_traces()._waiting
    assert not page.get("bidi_component")
    assert any("No step has been traced" in info.value for info in page.info)


def test_a_step_too_large_for_the_server_is_refused_in_a_sentence(open_page: OpenPage) -> None:
    page = go(open_page(samples="10000", hidden_depth="2", hidden_width="512", replicas="1"), PARALLELISM)
    page.button(key="trace_step").click().run()
    refused = "must be at most 4,882 with layers so wide and so many of them"
    assert [refused in error.value for error in page.error] == [True]
    assert not step_traces()._waiting


def test_a_frozen_room_traces_nothing_and_shows_what_is_traced(open_page: OpenPage, service: RunService) -> None:
    page = settled(go(open_page(**FOUR), PARALLELISM))
    assert not page.get("download_button")[0].proto.disabled
    service.room.freeze(True)
    again(page)
    assert len(charts(page, Phase.PARALLEL_APPLY)) == 2
    assert page.get("download_button")[0].proto.disabled
    page.button(key="trace_step").click().run()
    assert any("The teacher has paused new runs" in info.value for info in page.info) and not page.error
    assert not step_traces()._waiting
    service.room.freeze(False)
    page.button(key="trace_step").click().run()
    assert not page.error
    assert not settled(page).get("download_button")[0].proto.disabled


def test_the_first_draw_after_a_switch_of_pages_shows_the_settings(open_page: OpenPage) -> None:
    page = settled(go(open_page(**FOUR), PARALLELISM))
    page.selectbox(key="compared_engine").set_value("cpu_replicas").run()
    page.slider(key="compared_replicas").set_value(3).run()
    go(page, TRAIN)
    assert "Scatter plot of 200 of 200 samples on 4 replicas" in " ".join(visible_texts(page))
    names = charts(settled(go(page, PARALLELISM)), Phase.PARALLEL_APPLY)
    assert [re.findall(r"\d+", name) for name in names] == [["4"], ["3"]]


def test_a_switch_of_pages_keeps_settings_and_run(open_page: OpenPage, service: RunService) -> None:
    page = open_page(**FOUR)
    put(page, "pace", "slow")
    page.button(key="transport_start").click().run()
    run_id = page.session_state["run"]
    go(page, PARALLELISM).select_slider(key="noise").set_value(2.0).run()
    assert page.query_params["run"] == run_id
    go(page, TRAIN)
    assert page.select_slider(key="noise").value == 2.0
    assert page.query_params["run"] == run_id
    service.stop(run_id, "a browser")
