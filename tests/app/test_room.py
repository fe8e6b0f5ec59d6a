"""The Room page without a browser: who gets in, what it shows, and what the teacher decides for other pages."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.errors import ConfigError, FrozenError
from dpdash.core.events import RunStatus, RunStopped, StopReason
from dpdash.core.limits import Limits
from dpdash.core.settings import ServerSettings
from dpdash.core.translations import LANGUAGES, PSEUDO
from dpdash.runs.room import FROZEN
from dpdash.runs.service import Pace, RunService
from dpdash.ui.room.page import ROWS_PER_PAGE
from dpdash.web.passphrase import A_BROWSER
from dpdash.web.process import scaling_service
from dpdash.web.teacher import gate
from tests.app.conftest import OpenPage, given, put
from tests.app.driving import again, click, go
from tests.app.visible import visible_texts
from tests.fakes import FakeMeasuring, eventually
from tests.unit.sweeps.conftest import plan_of

PASSPHRASE = "correct horse"
ROOM, TRAIN = "../pages/room.py", "../pages/train.py"
LONG = RunConfig(samples=50, epochs=100_000)
SLOW = Pace.rate(2.0)
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{2,}")


@pytest.fixture(autouse=True)
def passphrase(service: RunService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPDASH_TEACHER_PASSPHRASE", PASSPHRASE)


def show(page: AppTest, passphrase: str) -> AppTest:
    page.text_input(key="typed_passphrase").set_value(passphrase)
    page.button[0].click().run()
    assert not page.exception
    return page


@pytest.fixture
def room(open_page: OpenPage) -> AppTest:
    """The Room as the teacher has it open."""
    return show(go(open_page(owner="teacher"), ROOM), PASSPHRASE)


def rows(page: AppTest) -> list[str]:
    return [html.body for html in page.html if html.body.startswith("<div class='dpdash-row ")]


def said(page: AppTest) -> str:
    return "\n".join(str(shown.value).replace("\\", "") for shown in (*page.info, *page.warning, *page.error))


def status_of(page: AppTest) -> str:
    bodies: list[str] = [html.body for html in page.html]
    return next(body for body in bodies if "role='status'" in body)


def start(page: AppTest, pace: str = "slow") -> str:
    """Start a run on a page; its id."""
    put(page, "pace", pace)
    click(page, "transport_start")
    run_id = page.session_state["run"]
    assert isinstance(run_id, str)
    return run_id


def test_without_a_passphrase_there_is_no_room(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DPDASH_TEACHER_PASSPHRASE")
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        open_page().switch_page(ROOM)


def test_others_get_a_form_and_nothing_else(open_page: OpenPage, service: RunService) -> None:
    service.start(LONG, "a learner", SLOW)
    page = go(open_page(), ROOM)
    assert len(page.text_input) == len(page.button) == 1
    assert not page.metric and not rows(page) and not page.sidebar.select_slider
    assert not page.main.get("popover")


def test_the_passphrase_opens_the_room_to_one_browser_for_good(open_page: OpenPage) -> None:
    page = show(go(open_page(owner="teacher"), ROOM), "wrong passphrase")
    assert "This is not the passphrase." in said(page)
    show(page, PASSPHRASE)
    assert len(page.metric) >= 5 and not said(page)
    assert len(go(open_page(owner="teacher"), ROOM).metric) >= 5, "a reload and a second tab are the teacher's too"
    assert not go(open_page(owner="a learner"), ROOM).metric


def test_a_guesser_is_told_to_wait(open_page: OpenPage) -> None:
    page = go(open_page(owner="guesser"), ROOM)
    for guess in range(A_BROWSER.at_once):
        show(page, f"guess {guess}")
    show(page, PASSPHRASE)
    assert "too many wrong passphrases. Wait 15 seconds" in said(page)
    assert not page.metric


def test_finished_and_diverged_runs_stay_on_the_wall_until_it_is_cleared(
    room: AppTest, service: RunService
) -> None:
    finished = service.start(RunConfig(samples=50, epochs=30), "a learner", Pace.full_speed())
    diverged = service.start(
        RunConfig(samples=50, epochs=500, optimizer="sgd", learning_rate=5.0), "another", Pace.full_speed()
    )
    stopped = service.start(LONG, "a third", SLOW)
    service.stop(stopped, "a third")
    assert all(service.runs.wait(run_id, 15) for run_id in (finished, diverged, stopped))
    shown = rows(again(room))
    assert ["diverged" in row for row in shown] == [True, False], "the latest first, and none that was stopped"
    assert all("data:image/svg+xml" in row and "one device" in row for row in shown)
    click(room, f"room_spotlight_{finished}")
    assert service.room.spotlight == finished
    click(click(room, "room_ask_clear"), "room_clear")
    assert rows(again(room)) == []


def test_a_learner_reads_on_the_train_page_what_the_room_calls_them(
    room: AppTest, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = open_page(owner="a learner")
    start(learner)
    (own,) = re.findall(r"<strong class='dpdash-who[^>]*>[^<]*</strong>", rows(again(room))[0])
    assert own in [html.body for html in learner.html]
    monkeypatch.delenv("DPDASH_TEACHER_PASSPHRASE")
    gate.clear()
    assert not [html for html in open_page().html if "<strong class='dpdash-who" in html.body]


def test_the_address_for_phones_fills_the_screen_until_it_is_made_small(
    room: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "room_join_size" not in {button.key for button in room.button}, "no phone can open this server"
    monkeypatch.setattr("dpdash.ui.room.join.serves_only_here", lambda: False)
    monkeypatch.setattr("dpdash.core.network.reachable", lambda *_: ("192.168.0.7",))
    again(room)
    for label in ("Fill the screen", "Make it small", "Fill the screen"):
        assert any("http://192.168.0.7" in html.body and "dpdash-join" in html.body for html in room.html)
        assert any("QR code of http://192.168.0.7" in html.body for html in room.html)
        assert room.button(key="room_join_size").label == label
        click(room, "room_join_size")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_room_shows_every_live_run(language: str, open_page: OpenPage, service: RunService) -> None:
    for number in range(3):
        service.start(LONG, f"learner {number}", SLOW)
    service.start(LONG, "learner 0", SLOW, paused=True)
    page = show(go(open_page(language, owner="teacher"), ROOM), PASSPHRASE)
    assert len(rows(page)) == 4
    names = [re.search(r"<strong[^>]*>([^<]*)<", row) for row in rows(page)]
    assert len({name[1] for name in names if name}) == 3, "a name a browser"
    assert [metric.value for metric in page.metric][1] == "3"


def test_every_text_of_the_room_went_through_gettext(open_page: OpenPage, service: RunService) -> None:
    form = go(open_page(PSEUDO), ROOM)
    shown = service.start(LONG, "a learner", SLOW)
    for number in range(ROWS_PER_PAGE):
        service.start(LONG, f"learner {number}", SLOW, paused=number % 2 == 0)
    page = show(go(open_page(PSEUDO, owner="teacher"), ROOM), PASSPHRASE)
    service.room.put_in_spotlight(shown)
    service.room.freeze(True)
    texts = [*visible_texts(form), *visible_texts(again(page)), *visible_texts(show(form, "wrong"))]
    assert len(texts) > 100
    assert [text for text in texts if WORD.search(re.sub(r":material/\w+:", "", unbracketed(text)))] == []


def unbracketed(text: str) -> str:
    before = None
    while before != text:
        before, text = text, BRACKETED.sub("", text)
    return text


def test_a_long_list_comes_in_pages(room: AppTest, service: RunService) -> None:
    for number in range(ROWS_PER_PAGE + 3):
        service.start(LONG, f"learner {number}", SLOW, paused=True)
    assert len(rows(again(room))) == ROWS_PER_PAGE
    room.segmented_control(key="room_page").set_value(ROWS_PER_PAGE).run()
    assert len(rows(room)) == 3
    service.room.stop_all()
    assert rows(again(room)) == []


def test_a_frozen_server_says_so_and_starts_nothing(
    room: AppTest, open_page: OpenPage, service: RunService
) -> None:
    learner = open_page(owner="a learner")
    click(room, "room_freeze")
    assert "teacher has paused new runs" in said(again(learner))
    assert len([*learner.info, *learner.warning, *learner.error]) == 1
    assert learner.button(key="transport_start").disabled and learner.button(key="transport_step").disabled
    assert go(learner, "../pages/scaling.py").button(key="scaling_start").disabled
    go(learner, TRAIN)
    click(room, "room_allow")
    assert "paused new runs" not in said(again(learner))
    start(learner)
    assert len(service.room.snapshot().runs) == 1


def test_who_pressed_start_as_the_room_was_frozen_gets_one_box(
    room: AppTest, open_page: OpenPage, service: RunService
) -> None:
    """The page was drawn before the freeze, and its click came after it."""
    learner = open_page(owner="a learner")
    click(room, "room_freeze")
    learner.session_state["command_problem"] = FrozenError(FROZEN)
    assert len([*again(learner).info, *learner.warning, *learner.error]) == 1
    assert "teacher has paused new runs" in said(learner)


def test_a_run_that_trains_can_be_steered_in_a_frozen_room(
    room: AppTest, open_page: OpenPage, service: RunService
) -> None:
    learner = open_page(owner="a learner")
    start(learner)
    click(room, "room_freeze")
    again(learner)
    disabled = {
        name: learner.button(key=f"transport_{name}").disabled for name in ("start", "pause", "step", "stop")
    }
    assert disabled == {"start": True, "pause": False, "step": False, "stop": False}


def test_stop_all_ends_every_run_and_says_who_did_it(
    room: AppTest, open_page: OpenPage, service: RunService
) -> None:
    learner = open_page(owner="a learner")
    shown = start(learner)
    click(again(room), "room_ask_stop_all")
    click(room, "room_stop_all")
    assert service.runs.wait(shown, 15)
    ended = service.runs.snapshot(shown).history.ended
    assert isinstance(ended, RunStopped) and ended.reason is StopReason.TEACHER
    assert "by the teacher" in status_of(again(learner))
    assert learner.session_state["run"] == shown


def test_stop_all_ends_the_study_too(room: AppTest) -> None:
    studies, fake = scaling_service(), FakeMeasuring(lambda config: 100.0)
    studies._begin = lambda: fake
    fake.gate.clear()
    studies.start(plan_of(), "a learner")
    assert "A scaling study takes the cores" in said(again(room))
    click(room, "room_ask_stop_all")
    click(room, "room_stop_all")
    assert studies.wait(15)
    assert "A scaling study takes the cores" not in said(again(room))


def test_what_is_not_confirmed_is_not_done(room: AppTest, service: RunService) -> None:
    shown = service.start(LONG, "a learner", SLOW)
    click(again(room), "room_ask_stop_all")
    click(room, "room_cancel")
    assert "room_stop_all" not in {button.key for button in room.button}
    click(room, "room_ask_stop_all")
    click(room, "room_ask_clear")
    assert "room_stop_all" not in {button.key for button in room.button}, "one question at a time"
    assert service.runs.snapshot(shown).status is RunStatus.RUNNING
    service.room.stop_all()
    service.runs.wait(shown, 15)


def test_clear_sends_every_page_back_to_the_preview(
    room: AppTest, open_page: OpenPage, service: RunService
) -> None:
    learner = open_page(owner="a learner")
    shown = start(learner)
    click(room, "room_ask_clear")
    click(room, "room_clear")
    assert "room_clear" not in {button.key for button in room.button}, "it asks once"
    assert service.runs.wait(shown, 15)
    assert "ready" in status_of(again(learner))
    assert "run" not in learner.query_params
    assert service.runs.snapshot(shown).status is RunStatus.STOPPED, "it stays stored"
    second = start(learner)
    assert learner.session_state["run"] == second, "once is enough"


def test_the_spotlight_shows_a_run_everywhere_and_takes_nothing_away(
    room: AppTest, open_page: OpenPage, service: RunService
) -> None:
    shown, idle, busy = (open_page(owner=owner) for owner in ("shown", "idle", "busy"))
    in_spotlight, own = start(shown), start(busy)
    click(again(room), f"room_spotlight_{in_spotlight}")
    assert "Everybody sees this run of yours" in said(again(shown))
    assert "Yours comes back when that ends." in said(again(idle))
    assert "Your own run goes on." in said(again(busy))
    for page in (idle, busy):
        assert in_spotlight in next(code.value for code in page.code)
        for name in ("start", "pause", "step", "stop", "reset"):
            assert page.button(key=f"transport_{name}").disabled
        assert page.button(key="suggestion").disabled
    assert not shown.button(key="transport_stop").disabled
    assert busy.session_state["run"] == own and own in busy.query_params["run"]
    eventually(lambda: service.runs.snapshot(own).status is RunStatus.RUNNING)

    click(again(room), "room_end_spotlight")
    assert "ready" in status_of(again(idle))
    assert own in next(code.value for code in again(busy).code)
    assert not busy.button(key="transport_stop").disabled


def test_sliders_still_act_on_ones_own_run_during_a_spotlight(
    room: AppTest, open_page: OpenPage, service: RunService
) -> None:
    shown, busy = open_page(owner="shown"), open_page(owner="busy")
    in_spotlight, own = start(shown), start(busy)
    click(again(room), f"room_spotlight_{in_spotlight}")
    again(busy).select_slider(key="noise").set_value(2.0).run()
    assert "for the next run" in busy.select_slider(key="noise").label
    busy.select_slider(key="learning_rate").set_value(0.5).run()
    eventually(lambda: service.runs.snapshot(own).history.learning_rate_changes)
    assert not service.runs.snapshot(in_spotlight).history.learning_rate_changes


def test_a_new_run_of_the_one_in_the_spotlight_stays_in_it(
    room: AppTest, open_page: OpenPage, service: RunService
) -> None:
    page = open_page(owner="teacher")
    first = start(page)
    click(again(room), f"room_spotlight_{first}")
    second = start(again(page))
    assert service.room.spotlight == second


def test_a_look_back_ends_with_the_run_it_was_at(room: AppTest, open_page: OpenPage, service: RunService) -> None:
    shown = service.start(RunConfig(samples=50, epochs=30), "shown", Pace.full_speed())
    learner = open_page(samples="50", epochs="30")
    assert service.runs.wait(shown, 15) and service.runs.wait(start(learner, "max"), 15)
    again(learner).slider(key="look_back_slider").set_value(3).run()
    assert learner.session_state["look_back"] == 3
    service.room.put_in_spotlight(shown)
    again(learner)
    assert "look_back" not in learner.session_state


def test_only_the_teachers_session_can_decide(room: AppTest, open_page: OpenPage, service: RunService) -> None:
    """The buttons are there and the session says that they were pressed, but its browser is not the teacher's."""
    shown = service.start(LONG, "a learner", SLOW)
    for key in ("room_freeze", "room_stop_all", "room_clear", f"room_spotlight_{shown}"):
        room.session_state["owner"] = "teacher"
        room.session_state["room_asked"] = key.removeprefix("room_")
        again(room).session_state["owner"] = "a learner"
        click(room, key)
    now = service.room.snapshot()
    assert not now.is_frozen and now.spotlight is None and now.generation == 0
    assert service.runs.snapshot(shown).status is RunStatus.RUNNING


def test_a_switch_of_pages_keeps_settings_language_and_pace(room: AppTest) -> None:
    page = go(room, TRAIN)
    page.select_slider(key="samples").set_value(2000).run()
    put(page, "pace", "max")
    put(page, "language", "pt_BR")
    again(page)
    go(again(go(page, ROOM)), TRAIN)
    assert page.select_slider(key="samples").value == 2000
    assert given(page, "pace") == "max"
    assert given(page, "language") == "pt_BR"


def test_each_setting_beyond_the_limits_has_its_sentence_in_the_readers_language(
    open_page: OpenPage, service: RunService, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits.of(ServerSettings(max_samples=100, max_epochs=10))
    problems = limits.problems(RunConfig())
    assert len(problems) == 2

    def refuse(*_args: object, **_options: object) -> str:
        raise ConfigError(problems)

    monkeypatch.setattr(RunService, "start", refuse)
    sentences = said(click(open_page("pt_BR"), "transport_start"))
    assert re.search(r"^Amostras\b.*100.*\n^Épocas\b.*10", sentences, re.MULTILINE)
