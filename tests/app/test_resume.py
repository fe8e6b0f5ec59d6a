"""The button that lets a run go on that has ended: where it stands, and what it does."""

import re
import socket
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import LANGUAGES, PSEUDO
from dpdash.files.imports import import_runs
from dpdash.runs.service import Pace, RunService
from dpdash.store.query import Viewer
from dpdash.store.rows import put_checkpoint
from tests.app.conftest import OpenPage, given, put
from tests.app.driving import click
from tests.app.test_train import (
    LONGEST_WAIT_SECONDS,
    MAX_PACE,
    QUICK,
    SLOW_PACE,
    WORD,
    await_status,
    failed,
    finish,
    paused,
    reaches,
    run_id,
    status_of,
    trained,
    without_brackets,
)
from tests.app.visible import visible_texts
from tests.fakes import eventually
from tests.unit.files.made_up import file_of, whole_run

RESUME = "transport_resume"


def keys(page: AppTest) -> set[str]:
    return {str(button.key) for button in page.button}


def stopped(page: AppTest, service: RunService, epochs: int = 3) -> AppTest:
    """A page whose run was stopped after a few epochs."""
    click(page, "transport_step")
    for epoch in range(1, epochs + 1):
        assert reaches(service, run_id(page), epoch)
        if epoch < epochs:
            click(page, "transport_step")
    click(page, "transport_stop")
    return finish(page, service)


def told(page: AppTest) -> str:
    return "\n".join(shown.value.replace("\\", "") for shown in page.info)


def test_a_run_that_was_stopped_goes_on_to_its_end(open_page: OpenPage, service: RunService) -> None:
    page = stopped(open_page(**QUICK), service)
    first = run_id(page)
    assert RESUME in keys(page)
    put(page, "pace", SLOW_PACE)
    click(page, RESUME)
    assert run_id(page) == first
    assert "This run goes on after epoch 3, where its newest checkpoint was taken." in told(page)
    assert RESUME not in keys(page)
    assert service.runs.snapshot(first).config.epochs == 40
    service.set_pace(first, page.session_state["owner"], Pace.full_speed())
    finish(page, service)
    assert "finished" in status_of(page)
    assert "goes on after" not in told(page)
    rows = service.runs.rows(first)
    assert rows is not None and len(rows) == 40


def test_more_epochs_in_the_sidebar_make_it_longer(open_page: OpenPage, service: RunService) -> None:
    page = stopped(open_page(**QUICK), service)
    put(page, "pace", MAX_PACE)
    page.select_slider(key="epochs").set_value(50).run()
    finish(click(page, RESUME), service)
    assert service.runs.snapshot(run_id(page)).history.num_epochs == 50


def test_fewer_epochs_in_the_sidebar_leave_it_as_it_was(open_page: OpenPage, service: RunService) -> None:
    page = stopped(open_page(**QUICK), service)
    put(page, "pace", MAX_PACE)
    page.select_slider(key="epochs").set_value(10).run()
    finish(click(page, RESUME), service)
    assert not page.error
    assert service.runs.snapshot(run_id(page)).history.num_epochs == 40


def test_only_a_run_of_ones_own_that_was_stopped_offers_it(open_page: OpenPage, service: RunService) -> None:
    page = open_page(**QUICK)
    assert RESUME not in keys(page)
    paused(page, service)
    assert RESUME not in keys(page)
    click(page, "transport_stop")
    finish(page, service)
    assert RESUME in keys(page)
    watcher = open_page(owner="another browser", run=run_id(page))
    assert RESUME not in keys(watcher)
    assert RESUME not in keys(failed(page, service)), "one that diverged goes nowhere"


def test_a_run_that_has_finished_is_trained_on(open_page: OpenPage, service: RunService) -> None:
    page = trained(open_page(**QUICK), service)
    first = run_id(page)
    assert page.button(key=RESUME).label == "+ 40 epochs"
    finish(click(page, RESUME), service)
    shown = service.runs.snapshot(first)
    assert (run_id(page), shown.status, shown.history.num_epochs) == (first, RunStatus.FINISHED, 80)
    assert given(page, "epochs") == 80, "another Start trains as many"
    assert page.query_params["epochs"] == "80"
    assert page.button(key=RESUME).label == "+ 80 epochs"
    page.select_slider(key="epochs-1").set_value(100).run()
    assert page.button(key=RESUME).label == "+ 20 epochs"


def test_pressed_twice_it_is_trained_on_once(open_page: OpenPage, service: RunService) -> None:
    page = trained(open_page(**QUICK), service)
    # The second press is sent by a page that has not drawn yet what the first one did.
    service.resume_ended(run_id(page), page.session_state["owner"], Pace.full_speed(), 80)
    assert service.runs.wait(run_id(page), LONGEST_WAIT_SECONDS)
    click(page, RESUME)
    assert not page.error
    assert service.runs.snapshot(run_id(page)).history.num_epochs == 80


def test_what_the_server_allows_bounds_it(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_limits", replace(service.limits, epochs=60))
    page = trained(open_page(**QUICK), service)
    assert page.button(key=RESUME).label == "+ 20 epochs"
    finish(click(page, RESUME), service)
    assert page.button(key=RESUME).disabled
    assert "at most 60 epochs" in page.button(key=RESUME).help


def test_one_that_was_imported_is_not_trained_on(open_page: OpenPage, service: RunService) -> None:
    (imported,) = import_runs(file_of(whole_run()), service, "a browser")
    assert service.runs.snapshot(imported).status is RunStatus.FINISHED
    assert RESUME not in keys(open_page(run=imported))


def test_a_run_without_a_checkpoint_says_that_it_begins_anew(open_page: OpenPage, service: RunService) -> None:
    page = stopped(open_page(**QUICK), service)
    shown = run_id(page)
    service.runs.rows(shown)
    store = service._store
    assert store is not None
    store._write(lambda connection: put_checkpoint(connection, shown, None))
    put(page, "pace", SLOW_PACE)
    click(page, RESUME)
    assert "This run has no checkpoint, so it begins at epoch 1 again" in told(page)
    click(page, "transport_stop")
    assert service.runs.wait(shown, LONGEST_WAIT_SECONDS)


def test_what_is_refused_is_said(open_page: OpenPage, service: RunService) -> None:
    page = stopped(open_page(**QUICK), service)
    service.room.freeze(True)
    click(page, RESUME)
    assert "The teacher has paused new runs" in page.info[0].value and not page.error
    assert page.button(key=RESUME).disabled
    assert service.runs.snapshot(run_id(page)).status is RunStatus.STOPPED
    service.room.freeze(False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_offered_and_told_in_every_language(language: str, open_page: OpenPage, service: RunService) -> None:
    page = stopped(open_page(language, **QUICK), service)
    put(page, "pace", SLOW_PACE)
    click(page, RESUME)
    await_status(service, run_id(page), RunStatus.RUNNING)
    assert len(page.info) == 1
    click(page, "transport_stop")
    finish(page, service)


def test_its_texts_went_through_gettext(open_page: OpenPage, service: RunService) -> None:
    page = stopped(open_page(PSEUDO, **QUICK), service)
    put(page, "pace", SLOW_PACE)
    exempt = {code.value for code in page.code} | set(LANGUAGES.values())
    for shown in (page, click(page, RESUME)):
        texts = [text for text in visible_texts(shown) if text not in exempt]
        assert [text for text in texts if WORD.search(without_brackets(text))] == []
    assert re.search("⟦", told(page))
    click(page, "transport_stop")
    assert service.runs.wait(run_id(page), LONGEST_WAIT_SECONDS)


def test_a_run_that_another_process_trains_is_shown_and_cannot_be_steered(
    open_page: OpenPage, service: RunService
) -> None:
    other = RunService.open(ServerSettings())
    theirs = other.start(RunConfig(samples=50, epochs=100_000), "a browser", Pace.rate(100))
    eventually(lambda: other.runs.snapshot(theirs).history.num_epochs > 20)
    eventually(lambda: service.library.records([theirs], Viewer("a browser")))
    page = open_page(run=theirs)
    assert f"Another process trains this run, on {socket.gethostname()}: it is shown here" in told(page)
    assert page.button(key="transport_start").label.startswith("Start")
    for key in ("transport_pause", "transport_stop"):
        assert page.button(key=key).disabled, key
        assert "Another process trains this run" in page.button(key=key).help
    assert not any("left" in text for text in visible_texts(page))
    click(page, "transport_start")
    own = run_id(page)
    assert own != theirs
    assert not page.button(key="transport_stop").disabled
    other.shutdown()
    service.stop(own, "a browser")
