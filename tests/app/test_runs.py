"""The Runs page without a browser: what it lists, for whom, and what its buttons do."""

import base64
import json
import re
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from dpdash.charts.smoothing import smoothed
from dpdash.core.config import RunConfig
from dpdash.core.events import RunFinished, RunStatus
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import LANGUAGES, PSEUDO
from dpdash.runs.service import Pace, RunService
from dpdash.store.query import RunLabel, RunQuery, Viewer
from dpdash.store.schema import runs
from dpdash.ui.runs import filters
from dpdash.ui.runs.filters import ROWS, Whose
from dpdash.ui.session import viewer as machine_owner
from tests.app.conftest import OpenPage, given, put
from tests.app.driving import again, click, control, go
from tests.app.visible import visible_texts
from tests.fakes import block_of, eventually
from tests.unit.files.made_up import STARTED

RUNS = "../pages/runs.py"
LONG = 30.0
ME = Viewer("a browser")
SHORT = RunConfig(samples=50, epochs=20)
USUAL_BUT = {"en": "rate 0.05 · samples 50 · epochs 20", "pt_BR": "taxa 0,05 · amostras 50 · épocas 20"}
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{2,}")


def trained(service: RunService, config: RunConfig = SHORT, owner: str = ME.owner) -> str:
    """A run that is over and stored."""
    run_id = service.start(config, owner, Pace.full_speed())
    assert service.runs.wait(run_id, LONG)
    assert service._store is not None and service._store.flush(LONG)
    return run_id


def step_to(service: RunService, run_id: str, num_epochs: int) -> None:
    service.step(run_id, ME.owner)
    eventually(lambda: service.runs.snapshot(run_id).history.num_epochs == num_epochs)


def with_moved_rate(service: RunService) -> str:
    """A run whose learning rate was moved behind its third epoch."""
    run_id = service.start(SHORT, ME.owner, Pace.full_speed(), paused=True)
    for num_epochs in range(1, 4):
        step_to(service, run_id, num_epochs)
    service.set_learning_rate(run_id, ME.owner, 0.5)
    service.resume(run_id, ME.owner)
    assert service.runs.wait(run_id, LONG)
    assert service._store is not None and service._store.flush(LONG)
    return run_id


def table(page: AppTest, index: int = 0) -> Any:
    return page.dataframe[index].value


def names(page: AppTest) -> list[str]:
    return list(table(page).iloc[:, 0]) if page.dataframe else []


def curves(page: AppTest) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Epochs and losses of the lines of the comparison, by the uid of each."""
    shown = (json.loads(node.proto.json) for node in page.get("bidi_component"))
    (overlay,) = (figure for component in shown for figure in component.get("figures", ()))
    lines = (trace for trace in overlay["traces"] if trace["uid"] != "noise-floor")
    return {trace["uid"]: (unpacked(trace["x"]), unpacked(trace["y"])) for trace in lines}


def unpacked(spec: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(spec["bdata"]), dtype=f"<{spec['dtype']}")


def choose(page: AppTest, *run_ids: str) -> AppTest:
    """Select rows of the table."""
    page.session_state["runs_chosen"] = run_ids
    page.session_state["runs_table_round"] = (
        page.session_state["runs_table_round"] + 1 if "runs_table_round" in page.session_state else 1
    )
    return again(page)


def said(page: AppTest) -> str:
    boxes = (*page.info, *page.warning, *page.error, *page.markdown, *page.caption)
    return "\n".join(str(shown.value).replace("\\", "") for shown in boxes)


def keys(page: AppTest) -> set[str]:
    return {button.key for button in page.button if button.key}


@pytest.mark.parametrize("language", LANGUAGES)
def test_runs_are_listed_with_their_results(language: str, open_page: OpenPage, service: RunService) -> None:
    trained(service, SHORT.model_copy(update={"learning_rate": 0.05}))
    trained(service, SHORT.model_copy(update={"engine": "cpu_replicas", "replicas": 2}))
    page = go(open_page(language), RUNS)
    shown = table(page)
    assert len(shown) == 2
    assert shown.iloc[1, 0].endswith(USUAL_BUT[language]), "named by what is not as usual"
    assert ("emulated" if language == "en" else "emulado") in " ".join(map(str, shown.iloc[0]))
    assert shown.iloc[:, 2].notna().all(), "a loss each"
    assert not page.exception


def test_a_run_that_diverged_is_written_as_on_its_own_page(open_page: OpenPage, service: RunService) -> None:
    run_id = trained(service)
    store = service._store
    assert store is not None
    huge = sa.update(runs).where(runs.c.id == run_id).values(loss=6.4915e36, slope=-8.6857e17)
    store._write(lambda connection: connection.execute(huge))
    page = go(open_page(), RUNS)
    assert np.abs(table(page).loc[0, ["Loss", "Slope"]].astype(float)).max() < 2**53, (
        "larger is not written as it is told"
    )
    shown = pa.ipc.open_stream(page.dataframe[0].proto.arrow_data.styler.display_values).read_pandas()
    places = [list(table(page).columns).index(name) for name in ("Loss", "Slope")]
    assert list(shown.iloc[0, places]) == ["6.49×10³⁶", "−8.69×10¹⁷"]


def test_a_browser_sees_its_own_runs_alone(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(service)
    trained(service, owner="another")
    page = go(open_page(), RUNS)
    assert len(table(page)) == 1
    assert "this browser has started" in said(page)
    monkeypatch.setattr(machine_owner, "asks_from_here", lambda: True)
    again(page)
    assert len(table(page)) == 2, "on one's own machine all are one's own"
    control(page.button_group, "runs_whose").set_value(Whose.MINE).run()
    assert len(table(page)) == 1
    monkeypatch.setattr(machine_owner, "serves_only_here", lambda: False)
    again(page)
    assert len(table(page)) == 1


def test_the_teacher_sees_all(open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(service, owner="another")
    page = go(open_page(), RUNS)
    assert not names(page) and not page.button_group, "there is nothing to choose"
    monkeypatch.setattr(machine_owner, "is_teacher", lambda browser: browser == ME.owner)
    monkeypatch.setattr(filters, "serves_only_here", lambda: False)
    assert not names(again(page)), "the teacher's own come first"
    control(page.button_group, "runs_whose").set_value(Whose.ALL).run()
    assert len(table(page)) == 1


def test_filters_and_order(open_page: OpenPage, service: RunService) -> None:
    first = trained(service, SHORT.model_copy(update={"noise": 2.0}))
    trained(service, SHORT.model_copy(update={"noise": 0.1}))
    service.library.label(first, ME, RunLabel("loud", "", ("classroom",)))
    page = go(open_page(), RUNS)
    page.text_input(key="runs_text").set_value("noise>1").run()
    assert names(page) == ["loud"]
    page.text_input(key="runs_text").set_value("nothing like that").run()
    assert "No run is like that." in said(page)
    page.text_input(key="runs_text").set_value("").run()
    page.multiselect(key="runs_tags").set_value(["classroom"]).run()
    assert names(page) == ["loud"]
    page.multiselect(key="runs_tags").set_value([]).run()
    page.selectbox(key="runs_order").set_value("loss").run()
    assert names(page)[0] == "loud"
    page.toggle(key="runs_descending").set_value(False).run()
    assert names(page)[1] == "loud"
    page.multiselect(key="runs_statuses").set_value([RunStatus.STOPPED]).run()
    assert not names(page)
    assert not page.exception


def test_long_lists_are_shown_in_stretches(open_page: OpenPage, service: RunService) -> None:
    store = service._store
    assert store is not None
    for index in range(ROWS + 3):
        store.create_run(f"run-{index}", RunConfig(seed=index + 1), ME.owner, created_at=time.time())
    assert store.flush(LONG)
    page = go(open_page(), RUNS)
    assert len(table(page)) == ROWS
    click(page, "runs_further")
    assert len(table(page)) == 3 and page.button(key="runs_further").disabled
    page.text_input(key="runs_text").set_value("seed=7").run()
    assert len(table(page)) == 1, "another question begins at its first run"
    page.text_input(key="runs_text").set_value("").run()
    assert len(table(page)) == ROWS


def test_settings_that_differ_are_columns_or_those_that_are_chosen(
    open_page: OpenPage, service: RunService
) -> None:
    for rate, batch in ((0.01, None), (0.05, 10), (0.05, 25)):
        trained(service, SHORT.model_copy(update={"learning_rate": rate, "global_batch_size": batch}))
    page = go(open_page(), RUNS)
    assert list(table(page).columns[:5]) == ["Name", "Loss", "Status", "Learning rate", "Global batch size"]
    assert list(table(page)["Learning rate"]) == [0.05, 0.05, 0.01]
    shown = pa.ipc.open_stream(page.dataframe[0].proto.arrow_data.styler.display_values).read_pandas()
    assert list(shown.iloc[:, 4]) == ["25", "10", "all"]
    page.multiselect(key="runs_columns").set_value(["optimizer", "epochs"]).run()
    assert list(table(page).columns[3:5]) == ["Optimizer", "Epochs"]
    assert list(table(page)["Optimizer"]) == ["Adam"] * 3


def test_buckets_that_are_not_set_are_torchs_own(open_page: OpenPage, service: RunService) -> None:
    trained(service, SHORT)
    page = go(open_page(), RUNS)
    page.multiselect(key="runs_columns").set_value(["bucket_cap_mb"]).run()
    assert table(page).iloc[0, 3] != SHORT.samples
    shown = pa.ipc.open_stream(page.dataframe[0].proto.arrow_data.styler.display_values).read_pandas()
    assert list(shown.iloc[:, 3]) == ["torch's own"]


def sweep_with_runs(service: RunService, *run_ids: str) -> None:
    store = service._store
    assert store is not None
    for place, run_id in enumerate(run_ids, start=1):
        config = RunConfig(learning_rate=place / 100, global_batch_size=5)
        store.create_run(run_id, config, ME.owner, created_at=time.time(), sweep_id="a-sweep")
        for event in (STARTED, block_of(1, 10), RunFinished(10, 3.0, 0.0, 1.0)):
            store.append(run_id, event)
    assert store.flush(LONG)


def test_the_runs_of_a_sweep_are_one_row_that_can_be_opened(open_page: OpenPage, service: RunService) -> None:
    sweep_with_runs(service, "first", "second", "third")
    alone = trained(service)
    page = go(open_page(), RUNS)
    assert names(page) == ["samples 50 · epochs 20", "Sweep of 3 runs"]
    folded = table(page).iloc[1]
    assert folded["Status"] == "finished: 3"
    best = min(record.best_loss or 1e9 for record in service.library.records(["first", "second", "third"], ME))
    assert folded["Best loss"] == pytest.approx(best) and np.isnan(folded["Loss"])
    assert "1 to 2 of 2, each sweep's runs in one row" in said(page)
    assert "Global batch size" not in table(page).columns, "a run alone differs from no other"
    choose(page, "third", "second", "first", alone)
    assert "Chosen: 4" in said(page), "the row stands for all of them"
    click(page, "runs_unfold")
    assert len(names(page)) == 4 and "Chosen" not in said(page)
    assert list(table(page)["Learning rate"])[1:] == [0.03, 0.02, 0.01]
    click(page, "runs_fold")
    assert len(names(page)) == 2
    choose(page, "third", "second", "first")
    click(page, "runs_delete")
    assert names(page) == ["samples 50 · epochs 20"] and "Runs deleted: 3." in said(page)


def test_a_run_of_a_sweep_that_is_chosen_stays_so_when_the_sweep_is_one_row(
    open_page: OpenPage, service: RunService
) -> None:
    sweep_with_runs(service, "first", "second")
    page = choose(go(open_page(), RUNS), "first")
    assert "Chosen: 1" in said(page) and "runs_unfold" not in keys(page)


def test_the_sweep_of_a_row_is_opened(open_page: OpenPage, service: RunService) -> None:
    sweep_with_runs(service, "first", "second")
    page = choose(go(open_page(), RUNS), "first", "second")
    click(page, "runs_open_sweep")
    assert given(page, "sweep_shown") == "a-sweep"
    assert any("Sweep" in html.body for html in page.html if "dpdash-title" in html.body)


def test_name_note_and_tags_are_kept(open_page: OpenPage, service: RunService) -> None:
    run_id = trained(service)
    page = choose(go(open_page(), RUNS), run_id)
    page.text_input(key=f"runs_name_{run_id}").set_value("the good one")
    page.text_input(key=f"runs_tags_{run_id}").set_value("a, b")
    page.text_area(key=f"runs_note_{run_id}").set_value("why *so*")
    click(page, "runs_save")
    (record,) = service.library.records([run_id], ME)
    assert (record.name, record.tags, record.note) == ("the good one", ("a", "b"), "why *so*")
    assert names(page) == ["the good one"]
    page.text_input(key=f"runs_tags_{run_id}").set_value("x" * 30)
    click(page, "runs_save")
    assert "A tag can have at most 24 characters" in said(page)
    assert service.library.records([run_id], ME)[0].tags == ("a", "b")


def test_delete_and_undo(open_page: OpenPage, service: RunService) -> None:
    first, second = trained(service), trained(service)
    page = choose(go(open_page(), RUNS), first, second)
    click(page, "runs_delete")
    assert not names(page) and "Runs deleted: 2." in said(page)
    click(page, "runs_undo")
    assert len(names(page)) == 2 and "Runs deleted" not in said(page)
    choose(page, first)
    click(page, "runs_delete")
    click(page, "runs_dismiss")
    assert len(names(page)) == 1 and "Runs deleted" not in said(page)
    page.toggle(key="runs_deleted").set_value(True).run()
    choose(page, first)
    click(page, "runs_restore")
    page.toggle(key="runs_deleted").set_value(False).run()
    assert len(names(page)) == 2


def test_a_run_that_trains_cannot_be_deleted(open_page: OpenPage, service: RunService) -> None:
    run_id = service.start(RunConfig(samples=50, epochs=1000), ME.owner, Pace.rate(1.0), paused=True)
    assert service._store is not None and service._store.flush(LONG)
    page = choose(go(open_page(), RUNS), run_id)
    click(page, "runs_delete")
    assert "Runs that still train cannot be deleted. Left in the list: 1." in said(page)
    assert len(names(page)) == 1
    service.stop(run_id, ME.owner)
    assert service.runs.wait(run_id, LONG)


def test_pinning(open_page: OpenPage, service: RunService) -> None:
    run_id = trained(service)
    page = choose(go(open_page(), RUNS), run_id)
    click(page, "runs_pin")
    assert service.library.records([run_id], ME)[0].is_pinned
    assert "runs_pin" not in keys(page)
    click(page, "runs_unpin")
    assert not service.library.records([run_id], ME)[0].is_pinned


def test_open_shows_the_run_on_the_train_page(open_page: OpenPage, service: RunService) -> None:
    run_id = trained(service, SHORT.model_copy(update={"learning_rate": 0.05}))
    page = choose(go(open_page(), RUNS), run_id)
    click(page, "runs_open")
    assert page.session_state["run"] == run_id
    assert control(page.select_slider, "learning_rate").value == 0.05
    assert "finished" in " ".join(html.body for html in page.html)


def test_repeat_trains_the_same_again(open_page: OpenPage, service: RunService) -> None:
    run_id = trained(service, SHORT.model_copy(update={"seed": 7}))
    page = go(open_page(), RUNS)
    put(page, "pace", "max")
    choose(page, run_id)
    click(page, "runs_repeat")
    new_id = page.session_state["run"]
    assert new_id != run_id
    assert service.runs.wait(new_id, LONG)
    first, second = (service.runs.rows(known) for known in (run_id, new_id))
    assert first is not None and second is not None
    assert first.loss.tobytes() == second.loss.tobytes()


def test_branch_brings_the_settings_and_starts_nothing(open_page: OpenPage, service: RunService) -> None:
    run_id = trained(service, SHORT.model_copy(update={"noise": 2.0, "seed": 3}))
    page = choose(go(open_page(), RUNS), run_id)
    click(page, "runs_branch")
    assert page.session_state["run"] is None
    assert control(page.select_slider, "noise").value == 2.0
    assert control(page.number_input, "seed").value == 3
    assert len(service.runs.latest()) == 1


def test_the_comparison_has_results_and_differing_settings(open_page: OpenPage, service: RunService) -> None:
    first = trained(service)
    second = trained(service, SHORT.model_copy(update={"learning_rate": 0.1}))
    page = choose(go(open_page(), RUNS), first, second)
    results, settings = table(page, 1), table(page, 2)
    assert len(results) == 2 and list(settings.iloc[:, 0]) == ["Learning rate"]
    assert list(settings.iloc[0, 1:]) == ["0.01", "0.1"]
    columns = len(results.columns)
    page.selectbox(key="runs_baseline").set_value(first).run()
    assert len(table(page, 1).columns) > columns
    baseline, other = table(page, 1)["Loss, to the baseline"]
    losses = {record.run_id: record.loss or 0.0 for record in service.library.records([first, second], ME)}
    assert baseline == "+0 %"
    assert float(other.removesuffix(" %").replace("−", "-")) == pytest.approx(
        100 * (losses[second] / losses[first] - 1), abs=0.05
    )
    choose(page, second)
    assert len(table(page, 1)) == 2, "the baseline stays"


def test_a_learning_rate_that_was_moved_is_a_setting_that_differs(
    open_page: OpenPage, service: RunService
) -> None:
    usual, moved = trained(service), with_moved_rate(service)
    page = choose(go(open_page(), RUNS), usual, moved)
    settings = table(page, 2)
    assert list(settings.iloc[:, 0]) == ["Learning rate"]
    assert list(settings.iloc[0, 1:]) == ["0.01", "0.01 → 0.5 at 4"]
    assert names(page)[0].startswith("rate 0.01 → 0.5 at 4")


@pytest.mark.parametrize("query", [{}, {"learning_rate": "0.5", "samples": "50", "epochs": "20"}])
def test_a_link_to_a_run_whose_rate_was_moved_says_so(
    query: dict[str, str], open_page: OpenPage, service: RunService
) -> None:
    page = open_page(owner="another", run=with_moved_rate(service), **query)
    assert any("rate 0.01 → 0.5 at 4" in html.body for html in page.html)
    assert control(page.select_slider, "learning_rate").value == 0.5
    assert page.query_params["learning_rate"] == "0.5"


def test_smoothing_draws_the_mean_and_leaves_the_losses(open_page: OpenPage, service: RunService) -> None:
    run_id = trained(service)
    page = choose(go(open_page(), RUNS), run_id)
    assert set(curves(page)) == {"raw-1"}
    page.select_slider(key="runs_smoothing").set_value(11).run()
    rows = service.runs.rows(run_id)
    assert rows is not None
    drawn = curves(page)
    assert list(drawn) == ["raw-1", "smooth-1"]
    assert drawn["raw-1"][1] == pytest.approx(rows.loss)
    assert drawn["smooth-1"][1] == pytest.approx(smoothed(rows.loss, 11))


def test_what_the_server_is_about_to_delete_is_said(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(service)
    trained(service)
    page = go(open_page(), RUNS)
    assert "keeps at most" not in said(page)
    monkeypatch.setattr(service.library, "_settings", ServerSettings(keep_runs=1, keep_megabytes=50))
    assert "keeps at most 1 runs (DPDASH_KEEP_RUNS) and 50 MB (DPDASH_KEEP_MEGABYTES)" in said(again(page))
    service.library._tidied_at = None
    service.library.tidy()
    assert "1 runs will be deleted, the first in 60 minutes" in said(again(page))


def test_a_page_that_sends_nonsense_gets_a_page(open_page: OpenPage, service: RunService) -> None:
    run_id = trained(service)
    page = go(open_page(), RUNS)
    put(page, "runs_baseline", "no such run")
    choose(page, run_id, "no such run")
    assert len(names(page)) == 1
    page.session_state["runs_first"] = 10_000
    again(page)
    assert len(names(page)) == 1


def test_every_text_is_translated(open_page: OpenPage, service: RunService) -> None:
    first = trained(service)
    second = trained(service, SHORT.model_copy(update={"noise": 2.0}))
    for run_id in (first, second):
        service.library.label(run_id, ME, RunLabel("⟦name⟧", "", ()))
    page = go(open_page(PSEUDO), RUNS)
    choose(page, first)
    eventually(lambda: page.text_input(key=f"runs_name_{first}"))
    for chosen in ((first,), (first, second)):
        choose(page, *chosen)
        texts = [*visible_texts(page), *map(str, table(page).columns), *map(str, table(page).iloc[0])]
        for text in texts:
            left = re.sub(
                r":material/\w+:|%\{[^}]*\}|<[^>]*>|st-key|extra", "", BRACKETED.sub("", BRACKETED.sub("", text))
            )
            assert not WORD.search(left), text


def test_a_block_of_a_run_elsewhere_is_smoothed_from_all_epochs(open_page: OpenPage, service: RunService) -> None:
    store = service._store
    assert store is not None
    store.create_run("long", RunConfig(epochs=10_000), ME.owner, created_at=time.time())
    store.append("long", block_of(1, 10_000))
    assert store.flush(LONG)
    page = choose(go(open_page(), RUNS), "long")
    page.select_slider(key="runs_smoothing").set_value(101).run()
    epochs, losses = curves(page)["smooth-1"]
    assert losses == pytest.approx(smoothed(block_of(1, 10_000).loss, 101)[epochs.astype(int) - 1])
    assert any("thinned:" in text for text in visible_texts(page)) and "Not every run" not in said(page)
    assert service.library.page(RunQuery(ME)).num_found == 1
