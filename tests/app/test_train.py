"""The Train page in every state and language, without a browser: what it shows and what its controls do."""

import re
import threading
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import RunStatus
from dpdash.core.translations import LANGUAGES, PSEUDO
from dpdash.files.imports import import_runs
from dpdash.runs.service import Pace, RunService
from dpdash.training import catalog
from dpdash.training.engines import data_parallel
from tests.app.conftest import OpenPage, given, put
from tests.app.driving import again, click, control
from tests.app.visible import visible_texts
from tests.unit.files.made_up import file_of, whole_run

LONGEST_WAIT_SECONDS = 30
QUICK = {"samples": "200", "epochs": "40", "engine": "single", "replicas": "1"}
SLOW_PACE, MAX_PACE = "slow", "max"

BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
DIRECTIVE = re.compile(r":[a-z]+-badge\[|:material/\w+:")
WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{2,}")
"""Two letters or more: x and y are the problem's own variables, and numbers have no language."""


def run_id(page: AppTest) -> str:
    shown = page.session_state["run"]
    assert isinstance(shown, str)
    return shown


def finish(page: AppTest, service: RunService) -> AppTest:
    """Wait for the run that the page shows to end, and refresh the page as its timer would."""
    assert service.runs.wait(run_id(page), LONGEST_WAIT_SECONDS)
    page.run()
    assert not page.exception
    return page


def reaches(service: RunService, shown: str, epoch: int) -> bool:
    """Wait until a run has trained an epoch and stands still after it."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while service.runs.snapshot(shown).history.num_epochs < epoch and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return service.runs.snapshot(shown).history.num_epochs == epoch


def await_status(service: RunService, shown: str, wanted: RunStatus) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while service.runs.snapshot(shown).status is not wanted and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert service.runs.snapshot(shown).status is wanted


def trained(page: AppTest, service: RunService) -> AppTest:
    put(page, "pace", MAX_PACE)
    return finish(click(page, "transport_start"), service)


def status_of(page: AppTest) -> str:
    bodies: list[str] = [html.body for html in page.html]
    return next(body for body in bodies if "role='status'" in body)


def metric(page: AppTest, name: str) -> str:
    return next(shown.value for shown in page.metric if shown.label == name)


def without_brackets(text: str) -> str:
    """What is left of a text without all that came from the pseudo-locale."""
    before = None
    while before != text:
        before, text = text, BRACKETED.sub("", text)
    return DIRECTIVE.sub("", text)


def preview(page: AppTest, service: RunService) -> AppTest:
    return page


def paused(page: AppTest, service: RunService) -> AppTest:
    put(page, "pace", SLOW_PACE)
    click(page, "transport_start")
    click(page, "transport_pause")
    # The command takes effect within one epoch, and AppTest has no timer that would then draw the page again.
    await_status(service, run_id(page), RunStatus.PAUSED)
    page.run()
    return page


def failed(page: AppTest, service: RunService) -> AppTest:
    put(page, "optimizer", "sgd")
    put(page, "learning_rate", 5.0)
    return trained(page, service)


def watching(page: AppTest, service: RunService) -> AppTest:
    page.session_state["run"] = service.start(
        RunConfig(samples=50, epochs=5), "another browser", Pace.full_speed()
    )
    return finish(page, service)


STATES: dict[str, Callable[[AppTest, RunService], AppTest]] = {
    "preview": preview,
    "finished": trained,
    "paused": paused,
    "diverged": failed,
    "watching": watching,
}
VIEWS = ("surface", "slope", "table")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_page_shows_every_state_in_every_language(
    state: str, language: str, open_page: OpenPage, service: RunService
) -> None:
    page = STATES[state](open_page(language, **QUICK), service)
    assert len(page.metric) == 5
    for view in VIEWS:
        put(page, "view", view)
        page.run()
        assert not page.exception
    assert not page.error


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("view", VIEWS)
def test_every_visible_text_went_through_gettext(
    state: str, view: str, open_page: OpenPage, service: RunService
) -> None:
    page = STATES[state](open_page(PSEUDO, **QUICK, hidden_depth="1"), service)
    put(page, "view", view)
    page.run()
    commands = {code.value for code in page.code}
    own_names = set(LANGUAGES.values())
    exempt = commands | own_names
    plain = [text for text in visible_texts(page) if text not in exempt and WORD.search(without_brackets(text))]
    assert plain == []


def test_hostile_link_in_the_pseudo_locale(open_page: OpenPage) -> None:
    page = open_page(
        PSEUDO, samples="1e12", learning_rate="nan", epochs="-1", replicas="99", run="../../etc/passwd"
    )
    assert [text for text in visible_texts(page) if "must" in without_brackets(text)] == []
    assert len(page.warning) == 1
    assert len(page.error) == 1


def test_preview_follows_the_sliders_before_anything_is_trained(open_page: OpenPage) -> None:
    page = open_page()
    floor = next(shown.delta for shown in page.metric if shown.label == "Loss")
    assert floor == "noise floor 0.250"
    page.select_slider(key="noise").set_value(2.0).run()
    assert next(shown.delta for shown in page.metric if shown.label == "Loss") == "noise floor 4.00"
    assert page.session_state["run"] is None


def test_default_run_ends_with_the_listings_numbers(open_page: OpenPage, service: RunService) -> None:
    page = trained(open_page(), service)
    assert "finished" in status_of(page)
    assert metric(page, "Loss") == "0.465"
    assert metric(page, "Slope") == "2.84"


def test_a_machine_without_gpus_opens_with_emulated_replicas(open_page: OpenPage) -> None:
    page = open_page()
    assert given(page, "engine") == "cpu_replicas"
    assert given(page, "replicas") == 2
    assert any("emulated on CPU" in shown.value for shown in page.sidebar.markdown)
    page.slider(key="replicas").set_value(1).run()
    assert given(page, "engine") == "single"


def test_the_switch_chooses_ddp_and_the_replicas_keep_it(open_page: OpenPage) -> None:
    page = open_page()
    page.segmented_control(key="parallel_way").set_value("ddp").run()
    assert not page.exception
    assert given(page, "engine") == "ddp"
    page.slider(key="replicas").set_value(4).run()
    assert given(page, "engine") == "ddp"
    assert page.query_params["engine"] in ("ddp", ["ddp"])
    assert any("DDP" in shown.value for shown in page.sidebar.markdown)
    page.segmented_control(key="parallel_way").set_value("data_parallel").run()
    assert given(page, "engine") == "cpu_replicas"


def test_a_link_to_ddp_shows_the_switch_there(open_page: OpenPage) -> None:
    page = open_page(engine="ddp", replicas="2")
    assert given(page, "engine") == "ddp"
    assert page.segmented_control(key="parallel_way").value == "ddp"


@pytest.mark.parametrize(("wanted", "here"), [("9", "4"), pytest.param("2", "2", marks=pytest.mark.long)])
def test_a_link_to_an_engine_that_is_not_here_says_so_and_offers_the_nearest(
    wanted: str, here: str, open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "num_gpus", lambda: 0)
    monkeypatch.setattr(catalog, "most_replicas", lambda: 4)
    monkeypatch.setattr(data_parallel, "num_gpus", lambda: 0)
    page = open_page("pt_BR", samples="200", epochs="5", engine="data_parallel", replicas=wanted)
    [warning] = [shown.value for shown in page.warning]
    assert "DataParallel precisa de pelo menos 2 GPUs" in warning and "cpu\\_replicas" not in warning
    assert page.button(key="substitute").label == f"Treinar em {here} réplicas emuladas"
    assert metric(page, "Réplicas em uso") == f"0 de {wanted}"
    click(page, "substitute")
    config = service.runs.snapshot(run_id(page)).config
    assert (config.engine, config.replicas, config.samples) == ("cpu_replicas", int(here), 200)
    assert given(page, "engine") == "cpu_replicas" and not page.warning
    finish(page, service)


def test_so_does_a_link_to_a_run_that_was_trained_elsewhere(open_page: OpenPage, service: RunService) -> None:
    config = RunConfig(engine=EngineName.DDP, replicas=64)
    (imported,) = import_runs(file_of(whole_run(config=config)), service, "a browser")
    page = open_page(run=imported)
    assert page.button(key="substitute").label.startswith("Train with torch DistributedDataParallel × ")
    assert given(page, "replicas") == 64, "nothing is changed before it is asked for"


def test_link_holds_every_setting_and_the_run(open_page: OpenPage, service: RunService) -> None:
    page = trained(open_page(**QUICK), service)
    query = {name: values if isinstance(values, str) else values[-1] for name, values in page.query_params.items()}
    shown = query.pop("run")
    assert shown == run_id(page)
    assert RunConfig.parse(query) == service.runs.snapshot(shown).config

    second_tab = open_page(run=shown)
    assert metric(second_tab, "Loss") == metric(page, "Loss")
    assert given(second_tab, "samples") == 200


def test_links_own_settings_give_way_to_the_runs(open_page: OpenPage, service: RunService) -> None:
    shown = run_id(trained(open_page(**QUICK), service))
    page = open_page(run=shown, samples="5000")
    assert given(page, "samples") == 200


def test_value_off_the_scale_is_kept(open_page: OpenPage) -> None:
    page = open_page(samples="1234", learning_rate="0.013", noise="0.55")
    assert page.select_slider(key="samples").value == 1234
    assert page.select_slider(key="learning_rate").value == 0.013
    assert page.select_slider(key="noise").value == 0.55


def test_wrong_values_get_a_sentence_and_the_rest_applies(open_page: OpenPage) -> None:
    page = open_page(samples="1e12", epochs="300", colour="red")
    (warning,) = page.warning
    text = warning.value.replace("\\", "")
    assert "Samples must be a whole number. Received: 1e12. Try 10,000." in text
    assert "There is no setting called colour." in text
    assert given(page, "epochs") == 300


def test_what_was_wrong_with_a_link_is_said_until_something_else_is_asked_for(open_page: OpenPage) -> None:
    page = open_page(colour="red", utm_source="a mail")
    assert len(page.warning) == 1 and "utm" not in page.warning[0].value
    again(page)
    assert page.warning, "a refresh of the page asks for nothing"
    control(page.select_slider, "noise").set_value(0.4).run()
    assert not page.warning


def test_hundreds_of_bad_parameters_are_summed_up(open_page: OpenPage) -> None:
    page = open_page(**{f"p{number}": "x" for number in range(900)})
    assert "The link has 895 more such problems." in page.warning[0].value.replace("\\", "")


def test_unknown_run_is_said_and_forgotten(open_page: OpenPage) -> None:
    page = open_page(run="../../etc/passwd")
    assert "There is no run" in page.error[0].value
    assert page.session_state["run"] is None


def test_one_epoch_without_a_run_trains_the_first(open_page: OpenPage, service: RunService) -> None:
    page = click(open_page(**QUICK), "transport_step")
    for epoch in (1, 2, 3):
        assert reaches(service, run_id(page), epoch)
        await_status(service, run_id(page), RunStatus.PAUSED)
        assert service.runs.snapshot(run_id(page)).history.num_epochs == epoch
        click(page, "transport_step")


def test_pause_go_on_and_stop(open_page: OpenPage, service: RunService) -> None:
    page = paused(open_page(**QUICK), service)
    assert page.button(key="transport_pause").label == "Go on"
    put(page, "pace", MAX_PACE)
    click(page, "transport_pause")
    service.set_pace(run_id(page), page.session_state["owner"], Pace.full_speed())
    finish(page, service)
    assert "finished" in status_of(page)

    put(page, "pace", SLOW_PACE)
    click(page, "transport_start")
    click(page, "transport_stop")
    assert "stopped at epoch" in status_of(finish(page, service))


def test_start_becomes_restart_while_ones_own_run_trains(open_page: OpenPage, service: RunService) -> None:
    page = open_page(**QUICK)
    put(page, "pace", SLOW_PACE)
    assert page.button(key="transport_start").label == "Start"
    click(page, "transport_start")
    first = run_id(page)
    assert page.button(key="transport_start").label == "Restart"
    click(page, "transport_start")
    assert run_id(page) != first
    assert service.runs.wait(first, LONGEST_WAIT_SECONDS)
    assert service.runs.snapshot(first).status is RunStatus.STOPPED
    click(page, "transport_stop")


def test_reset_goes_back_to_the_preview_and_keeps_the_run(open_page: OpenPage, service: RunService) -> None:
    page = trained(open_page(**QUICK), service)
    old = run_id(page)
    click(page, "transport_reset")
    assert page.session_state["run"] is None
    assert "ready" in status_of(page)
    assert service.runs.snapshot(old).status is RunStatus.FINISHED


def test_a_page_without_a_run_offers_the_last_one(open_page: OpenPage, service: RunService) -> None:
    first = trained(open_page(**QUICK), service)
    page = open_page(samples="300")
    assert "Your last run: epoch 40, finished" in visible_texts(page)
    click(page, "last_run_open")
    assert run_id(page) == run_id(first)
    assert given(page, "samples") == 200
    assert not any("Your last run" in text for text in visible_texts(page))
    assert not any("Your last run" in text for text in visible_texts(open_page(owner="another browser")))


def test_one_that_still_trains_is_offered_before_any_other(open_page: OpenPage, service: RunService) -> None:
    first = paused(open_page(**QUICK), service)
    newer = service.start(RunConfig(samples=50, epochs=5), "a browser", Pace.full_speed())
    assert service.runs.wait(newer, LONGEST_WAIT_SECONDS)
    page = open_page()
    assert "Your last run: epoch 0, paused" in [
        re.sub(r"epoch \d+", "epoch 0", text) for text in visible_texts(page)
    ]
    click(page, "last_run_open")
    assert run_id(page) == run_id(first)
    click(page, "transport_stop")
    finish(page, service)


def test_learning_rate_reaches_a_run_that_trains(open_page: OpenPage, service: RunService) -> None:
    page = paused(open_page(**QUICK), service)
    page.select_slider(key="learning_rate").set_value(0.5).run()
    click(page, "transport_step")
    service.set_pace(run_id(page), page.session_state["owner"], Pace.full_speed())
    click(page, "transport_pause")
    finish(page, service)
    changes = service.runs.snapshot(run_id(page)).history.learning_rate_changes
    assert [change.learning_rate for change in changes] == [0.5]


def test_other_settings_are_marked_for_the_next_run(open_page: OpenPage, service: RunService) -> None:
    page = paused(open_page(**QUICK), service)
    page.select_slider(key="noise").set_value(2.0).run()
    assert "for the next run" in page.select_slider(key="noise").label
    assert "for the next run" not in page.select_slider(key="learning_rate").label
    click(page, "transport_stop")
    finish(page, service)
    assert "for the next run" not in page.select_slider(key="noise").label


def test_suggestion_is_applied_by_one_click(open_page: OpenPage, service: RunService) -> None:
    page = trained(open_page(**QUICK), service)
    first = run_id(page)
    assert page.button(key="suggestion").label == "Try learning rate 0.05"
    page.button(key="suggestion").click().run()
    assert given(page, "learning_rate") == 0.05
    assert run_id(page) != first
    assert service.runs.snapshot(run_id(page)).config.learning_rate == 0.05
    finish(page, service)


def test_look_back_shows_the_numbers_of_an_epoch(open_page: OpenPage, service: RunService) -> None:
    page = trained(open_page(**QUICK), service)
    end = metric(page, "Loss")
    page.slider(key="look_back_slider").set_value(1).run()
    row = service.runs.row(run_id(page), 1)
    assert row is not None
    assert metric(page, "Loss") == f"{row.loss:.1f}"
    page.slider(key="look_back_slider").set_value(40).run()
    assert metric(page, "Loss") == end


def test_a_watcher_cannot_steer(open_page: OpenPage, service: RunService) -> None:
    mine = paused(open_page(**QUICK), service)
    watcher = open_page(owner="another browser", run=run_id(mine))
    assert any("watching" in shown.value for shown in watcher.info)
    assert watcher.button(key="transport_pause").disabled
    assert "Only the browser that started this run can steer it." in watcher.button(key="transport_pause").help
    assert watcher.button(key="transport_stop").disabled
    watcher.select_slider(key="learning_rate").set_value(0.5).run()
    assert not watcher.error
    click(watcher, "transport_start")
    assert run_id(watcher) != run_id(mine)
    assert service.runs.snapshot(run_id(mine)).status is RunStatus.PAUSED
    click(watcher, "transport_stop")
    click(mine, "transport_stop")


def test_shared_links_are_whole(open_page: OpenPage, service: RunService) -> None:
    page = open_page(**QUICK)
    settings, _command = (code.value for code in page.code)
    assert settings.endswith("?samples=200&epochs=40&engine=single&replicas=1")
    watch, command = (code.value for code in trained(page, service).code)
    assert watch.endswith(f"?run={run_id(page)}")
    assert command == "python -m dpdash train --samples 200 --epochs 40"
    assert any(f"data-text='{watch}'" in html.body for html in page.html)
    assert any(f"QR code of {watch}" in html.body for html in page.html)


def test_a_paced_run_that_ended_says_how_long_it_computed_and_how_long_it_took(
    open_page: OpenPage, service: RunService
) -> None:
    page = open_page(**QUICK)
    put(page, "pace", SLOW_PACE)
    click(page, "transport_step")
    assert reaches(service, run_id(page), 1)
    click(page, "transport_stop")
    assert "s of computing (0.500 s at the chosen pace)" in progress_of(finish(page, service))
    assert "at the chosen pace" not in progress_of(trained(page, service))


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "falta 1 s"), (1.4, "falta 1 s"), (1.6, "faltam 2 s")])
def test_one_second_left_is_one(
    seconds: float, text: str, open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpdash.ui.train.live._seconds_left", lambda _shown: seconds)
    page = paused(open_page("pt_BR", **QUICK), service)
    assert progress_of(page).endswith(f" · {text}")


def progress_of(page: AppTest) -> str:
    (bar,) = page.get("progress")
    text: str = bar.proto.text
    return text
