"""The Sweep page without a browser: what it shows, who may start and stop, and how a trial is opened."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.sweep import Objective, SearchMethod, SweepStatus, Trial, TrialStatus
from dpdash.core.translations import PSEUDO
from dpdash.runs.service import Pace, RunService
from dpdash.sweeps import live
from dpdash.sweeps.live import SweepSnapshot
from dpdash.sweeps.service import SweepService
from dpdash.ui.sweep import controls as sweep_controls
from dpdash.ui.sweep import page as page_of_sweeps
from dpdash.ui.sweep.controls import What
from dpdash.ui.train import commands
from dpdash.web.process import sweep_service
from tests.app.conftest import OpenPage, given, put
from tests.app.driving import again, click, control, go
from tests.app.visible import visible_texts
from tests.fakes import LossEngine, eventually
from tests.unit.sweeps.conftest import sweep_of, whole

SWEEP = "../pages/sweep.py"
LONG = 60.0
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
TERMS = re.compile(r":material/\w+:|extra|%\{[^}]*\}|<[^>]*>")
WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{3,}")
SMALL_SETTINGS = {"samples": "60", "epochs": "20", "engine": "single", "replicas": "1"}


@pytest.fixture
def engine(service: RunService) -> LossEngine:
    """What trains instead of a real engine; it stands only where a test closes its gate."""
    engine = LossEngine(lambda config: config.learning_rate, waits=lambda config: True)
    engine.gate.set()
    service._find_engine = lambda config: engine
    return engine


@pytest.fixture
def sweeps(service: RunService, engine: LossEngine) -> Iterator[SweepService]:
    made = sweep_service()
    yield made
    engine.gate.set()
    made.close(timeout=LONG)


def own_search(page: AppTest, **values: str) -> AppTest:
    """Ask for a search of one's own over these settings."""
    put(page, "sweep_what", What.OWN)
    again(page)
    put(page, "sweep_settings", tuple(values))
    for setting, text in values.items():
        put(page, f"sweep_values_{setting}", text if setting != "optimizer" else tuple(text.split(", ")))
    return again(page)


def finished(page: AppTest, sweeps: SweepService) -> AppTest:
    newest = whole(sweeps)[0]
    assert sweeps.wait(newest.sweep_id, LONG)
    return again(page)


def said(page: AppTest) -> str:
    boxes = (*page.info, *page.warning, *page.error, *page.markdown)
    return "\n".join(str(shown.value).replace("\\", "") for shown in boxes)


def test_a_search_from_start_to_the_best_trial(open_page: OpenPage, sweeps: SweepService) -> None:
    page = go(open_page(**SMALL_SETTINGS), SWEEP)
    assert "No sweep yet." in said(page)
    own_search(page, learning_rate="0.001..1", optimizer="adam, sgd")
    put(page, "sweep_trials", 6)
    click(page, "sweep_start")
    finished(page, sweeps)
    sweep = whole(sweeps)[0]
    assert (sweep.status, sweep.num_over) == (SweepStatus.FINISHED, 6)
    assert (sweep.plan.base.samples, sweep.plan.method) == (60, SearchMethod.TPE)
    assert sweep.best is not None
    assert f"Best: trial {sweep.best.number + 1}, with learning rate" in said(page)
    assert control(page.selectbox, "sweep_shown").value == sweep.sweep_id


def test_before_the_first_one_stands_what_it_will_fill(open_page: OpenPage, sweeps: SweepService) -> None:
    page = go(open_page(**SMALL_SETTINGS), SWEEP)
    assert "Start trains 35 runs of 200 epochs" in said(page)
    assert any(text.startswith("Heat map") for text in visible_texts(page))
    own_search(page, learning_rate="nothing", optimizer="adam, sgd")
    assert "nothing" in said(page) and not any(text.startswith("Heat map") for text in visible_texts(page))


def test_a_search_of_ones_own_has_the_other_settings_of_the_run_that_is_shown(
    open_page: OpenPage, sweeps: SweepService, service: RunService
) -> None:
    shown = service.start(
        RunConfig(samples=77, epochs=3, hidden_depth=1, hidden_width=5), "ann", Pace.full_speed()
    )
    assert service.runs.wait(shown, LONG)
    page = own_search(go(open_page(run=shown), SWEEP), learning_rate="0.01, 0.1")
    assert any("1 hidden layer of 5 units · samples 77" in caption.value for caption in page.caption)
    put(page, "sweep_method", SearchMethod.GRID)
    click(page, "sweep_start")
    finished(page, sweeps)
    assert whole(sweeps)[0].plan.base.hidden_width == 5


def test_the_trials_warm_up_and_exchange_as_the_sidebar_says(open_page: OpenPage, sweeps: SweepService) -> None:
    settings = {"engine": "ddp", "replicas": "2", "warmup_epochs": "5", "accumulation_steps": "4"}
    page = own_search(go(open_page(**SMALL_SETTINGS | settings), SWEEP), learning_rate="0.01, 0.1")
    [others] = [caption.value for caption in page.caption if "All other settings" in caption.value]
    assert "warm-up epochs 5" in others and "micro-batches 4" in others


@pytest.mark.parametrize("language", ["en", "pt_BR"])
def test_a_preset_starts_with_one_click(open_page: OpenPage, sweeps: SweepService, language: str) -> None:
    page = go(open_page(language=language), SWEEP)
    click(page, "sweep_start")
    finished(page, sweeps)
    sweep = whole(sweeps)[0]
    assert (sweep.plan.preset, sweep.num_over) == ("rate_optimizer", 35)
    assert any("200" in text for text in visible_texts(page))


def test_stop_is_for_who_started_it(open_page: OpenPage, sweeps: SweepService, engine: LossEngine) -> None:
    engine.gate.clear()
    mine, others = go(open_page(owner="ann"), SWEEP), go(open_page(owner="bob"), SWEEP)
    click(mine, "sweep_start")
    again(others)
    assert [button.key for button in others.button if button.key == "sweep_start"]
    assert not [button.key for button in others.button if button.key == "sweep_stop"]
    click(mine, "sweep_stop")
    finished(mine, sweeps)
    assert "Stopped. What was found is kept." in said(mine)


def test_a_sweep_that_ends_while_the_page_is_drawn_leaves_no_button_behind(
    open_page: OpenPage, sweeps: SweepService, engine: LossEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.gate.clear()
    page = click(go(open_page(), SWEEP), "sweep_start")
    sweep_id = whole(sweeps)[0].sweep_id

    def ends_after_its_controls(searching: SweepSnapshot | None) -> None:
        sweep_controls.show_controls(searching)
        sweeps.stop(sweep_id, "a browser")
        engine.gate.set()
        assert sweeps.wait(sweep_id, LONG)

    monkeypatch.setattr(page_of_sweeps, "show_controls", ends_after_its_controls)
    again(page)
    assert [button.key for button in page.button if button.key in ("sweep_start", "sweep_stop")] == ["sweep_start"]


def test_a_freeze_holds_a_sweep_and_refuses_new_ones(
    open_page: OpenPage, sweeps: SweepService, service: RunService, engine: LossEngine
) -> None:
    engine.gate.clear()
    page, other = go(open_page(owner="ann"), SWEEP), go(open_page(owner="bob"), SWEEP)
    click(page, "sweep_start")
    eventually(lambda: whole(sweeps)[0].trials)
    service.room.freeze(True)
    engine.gate.set()
    eventually(lambda: (shown := sweeps.searching("ann")) is not None and shown.waiting_for is not None)
    again(page)
    assert "Waiting. The teacher has paused new runs on this server." in said(page)
    click(other, "sweep_start")
    assert "The teacher has paused new runs on this server." in said(other)
    assert len(sweeps.sweeps()) == 1
    service.room.freeze(False)
    finished(page, sweeps)
    assert whole(sweeps)[0].num_over == 35


def test_stop_all_ends_sweeps_too(
    open_page: OpenPage, sweeps: SweepService, engine: LossEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.gate.clear()
    page = go(open_page(), SWEEP)
    click(page, "sweep_start")
    eventually(lambda: whole(sweeps)[0].trials)
    monkeypatch.setattr("dpdash.ui.session.command.owner", lambda: "the teacher")
    monkeypatch.setattr("dpdash.ui.session.command.is_teacher", lambda browser: browser == "the teacher")
    commands.stop_all()
    finished(page, sweeps)
    assert "Stopped by the teacher. What was found is kept." in said(page)


def test_a_trial_is_opened_in_train_with_its_settings(
    open_page: OpenPage, sweeps: SweepService, service: RunService
) -> None:
    page = go(open_page(**SMALL_SETTINGS), SWEEP)
    own_search(page, learning_rate="0.01, 0.1", seed="0, 1")
    put(page, "sweep_method", SearchMethod.GRID)
    click(page, "sweep_start")
    finished(page, sweeps)
    sweep = whole(sweeps)[0]
    page.number_input(key="sweep_trial").set_value(3).run()
    click(page, "sweep_open")
    trial = sweep.trials[2]
    assert page.session_state["run"] == trial.run_id
    assert given(page, "learning_rate") == trial.values[sweep.plan.settings.index("learning_rate")]
    assert page.query_params["run"] in (trial.run_id, [trial.run_id])
    assert any(button.key and button.key.startswith("transport_") for button in page.button)
    go(page, SWEEP)
    click(page, "sweep_open_best")
    assert sweep.best is not None and page.session_state["run"] == sweep.best.run_id


def test_the_best_trial_is_not_sent_where_its_sweep_found_it_worse(
    open_page: OpenPage, sweeps: SweepService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss stands still, so half of its rate would be tried; a lower one was, and is worse."""

    def settled(trial: Trial, config: RunConfig, *_others: object) -> Trial:
        return replace(trial, status=TrialStatus.COMPLETE, value=1 / config.learning_rate)

    monkeypatch.setattr(live, "settled", settled)
    page = own_search(go(open_page(**SMALL_SETTINGS), SWEEP), learning_rate="0.03, 0.3")
    put(page, "sweep_method", SearchMethod.GRID)
    click(page, "sweep_start")
    finished(page, sweeps)
    click(page, "sweep_open_best")
    assert given(page, "learning_rate") == 0.3
    assert "It ended standing still" in said(page)
    assert page.button(key="suggestion").label == "Nothing to try yet"


def test_a_run_of_no_trial_is_not_opened(open_page: OpenPage, sweeps: SweepService) -> None:
    page = go(open_page(), SWEEP)
    click(page, "sweep_start")
    finished(page, sweeps)
    before = page.session_state["run"]
    put(page, "sweep_trial", 10_000)
    click(page, "sweep_open")
    assert page.session_state["run"] in (before, whole(sweeps)[0].trials[0].run_id)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"learning_rate": "fast"}, "Learning rate must be a number. Received: fast."),
        ({"learning_rate": "1..0.1"}, "A range of Learning rate has a lower and a higher end"),
        ({}, "A sweep searches over 1 to 4 settings. Received: 0."),
        ({"samples": "5000000000"}, "Samples must be at most"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(
    open_page: OpenPage, sweeps: SweepService, values: dict[str, str], sentence: str
) -> None:
    page = own_search(go(open_page(), SWEEP), **values)
    click(page, "sweep_start")
    assert sentence in said(page)
    assert sweeps.sweeps() == ()


def test_numbers_are_typed_and_shown_as_the_language_writes_them(
    open_page: OpenPage, sweeps: SweepService
) -> None:
    page = go(open_page(language="pt_BR", **SMALL_SETTINGS), SWEEP)
    put(page, "sweep_what", What.OWN)
    put(page, "sweep_settings", ("learning_rate", "optimizer"))
    put(page, "sweep_method", SearchMethod.GRID)
    again(page)
    assert control(page.text_input, "sweep_values_learning_rate").value == "0,001..1"
    assert "um a um. Recebido: um intervalo" in said(page)
    control(page.text_input, "sweep_values_learning_rate").set_value("0,03 0,3").run()
    assert control(page.text_input, "sweep_values_learning_rate").value == "0,03; 0,3"
    assert not page.error
    optimizers = control(page.multiselect, "sweep_values_optimizer")
    assert optimizers.options == ["Adam", "AdamW", "SGD", "SGD com momento", "RMSprop"]
    click(page, "sweep_start")
    finished(page, sweeps)
    assert {trial.values for trial in whole(sweeps)[0].trials} == {
        (rate, optimizer) for rate in (0.03, 0.3) for optimizer in ("adam", "sgd")
    }


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("0,00000001; 0,1", "Taxa de aprendizado: deve ser no mínimo 0,000001. Recebido: 0,00000001. Tente 0,01."),
        ("rápido", "Taxa de aprendizado: deve ser um número. Recebido: rápido. Tente 0,01."),
        (
            "1..0,1",
            "Um intervalo de Taxa de aprendizado tem um extremo menor e um maior, como em 1..10. "
            "Recebido: 1..0,1.",
        ),
        ("", "Taxa de aprendizado: escreva valores para a busca, ou um intervalo: 0,000001..10."),
    ],
)
def test_what_cannot_be_searched_is_said_under_its_field_before_anything_is_started(
    open_page: OpenPage, typed: str, sentence: str
) -> None:
    page = go(open_page(language="pt_BR", **SMALL_SETTINGS), SWEEP)
    put(page, "sweep_what", What.OWN)
    put(page, "sweep_settings", ("learning_rate",))
    again(page)
    control(page.text_input, "sweep_values_learning_rate").set_value(typed).run()
    assert [str(box.value).replace("\\", "") for box in page.error] == [sentence]


def test_what_the_noise_floor_takes_is_asked_for(open_page: OpenPage, sweeps: SweepService) -> None:
    page = own_search(go(open_page(**SMALL_SETTINGS), SWEEP), learning_rate="0.01, 0.3")
    put(page, "sweep_objective", Objective.EPOCHS_TO_REACH)
    put(page, "sweep_method", SearchMethod.GRID)
    click(page, "sweep_start")
    finished(page, sweeps)
    assert {trial.status for trial in whole(sweeps)[0].trials} == {TrialStatus.COMPLETE, TrialStatus.NOT_REACHED}
    assert "2 of 2 trials · 1 not reached" in "\n".join(visible_texts(page))


def test_a_sweep_of_a_server_that_ended_says_so(
    open_page: OpenPage, sweeps: SweepService, service: RunService
) -> None:
    assert service.runs.sweeps is not None
    service.runs.sweeps.put(replace(sweep_of(lambda _values: 1.0), status=SweepStatus.SEARCHING, message=""))
    page = go(open_page(), SWEEP)
    assert "This sweep was interrupted" in said(page)


@pytest.mark.parametrize("preset", ["noise_samples", "rate_batch", "rate_optimizer", "own"])
def test_every_text_is_translated(open_page: OpenPage, sweeps: SweepService, preset: str) -> None:
    page = go(open_page(language=PSEUDO, **SMALL_SETTINGS), SWEEP)
    put(page, "sweep_what", What(preset))
    again(page)
    click(page, "sweep_start")
    finished(page, sweeps)
    for text in visible_texts(page):
        left = TERMS.sub("", BRACKETED.sub("", BRACKETED.sub("", BRACKETED.sub("", text))))
        assert not WORD.search(left), text
