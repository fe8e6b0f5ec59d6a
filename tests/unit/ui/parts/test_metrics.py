"""The numbers beside their targets, in the language of the session."""

from typing import Any

import numpy as np
import pytest
import streamlit as st

from dpdash.charts.run import RunView
from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import EpochBlock, RunEvent, RunFinished, RunStarted
from dpdash.core.history import History, HistorySnapshot
from dpdash.core.turns import StepTurn, StepTurns
from dpdash.problem.preview import preview
from dpdash.ui.parts.metrics import Metric, metrics, replicas, signed
from dpdash.ui.session import language
from dpdash.ui.session.inputs import VALUES_KEY

EMULATED = RunConfig(samples=1000, noise=0.5, engine=EngineName.CPU_REPLICAS, replicas=2)
LOSS, SLOPE, INTERCEPT, SPEED, REPLICAS = range(5)


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    state: dict[str, Any] = {VALUES_KEY: {"language": "en"}}
    monkeypatch.setattr(st, "session_state", state)
    return state


def block(num_epochs: int, seconds_per_epoch: float) -> EpochBlock:
    epochs = np.arange(1, num_epochs + 1)
    return EpochBlock(
        1,
        loss=(4.0 / epochs).astype(np.float32),
        slope=np.full(num_epochs, 2.5, dtype=np.float32),
        intercept=np.full(num_epochs, 0.25, dtype=np.float32),
        learning_rate=np.full(num_epochs, 0.01),
        seconds=epochs * seconds_per_epoch,
    )


def began(turns: StepTurns | None = None) -> RunStarted:
    return RunStarted(1.0, ("a", "b"), (500, 500), True, turns=turns)


def history_of(*events: RunEvent) -> HistorySnapshot:
    history = History()
    for event in events:
        history.fold(event)
    return history.snapshot()


def shown(config: RunConfig, history: HistorySnapshot | None = None) -> list[Metric]:
    known = preview(config)
    row = history.latest if history else None
    line = (history.line if history else None) or (known.slope, known.intercept)
    status = history.status if history else None
    view = RunView("run", config, known, history, "run" if history else None, status, row, line)
    return [*metrics(view), replicas(view)]


def test_before_a_run_stand_the_untrained_lines_numbers() -> None:
    known = preview(EMULATED)
    found = shown(EMULATED)
    assert found[LOSS].value == language.number(known.moments.loss_at(known.slope, known.intercept))
    assert found[LOSS].target == "noise floor 0.250"
    assert found[SLOPE].value == language.number(known.slope)
    assert (found[SPEED].value, found[SPEED].target) == ("–", "not measured yet")


def test_during_a_run_stand_its_own_numbers() -> None:
    found = shown(EMULATED, history_of(began(), block(40, 0.01)))
    assert [found[name].value for name in (LOSS, SLOPE, INTERCEPT)] == ["0.100", "2.50", "0.250"]
    assert found[SLOPE].target == "true 3 (−0.500)"
    assert found[INTERCEPT].target == "true 0 (+0.250)"


def test_the_result_is_the_line_after_the_last_update() -> None:
    found = shown(EMULATED, history_of(block(40, 0.01), RunFinished(40, 2.75, -0.5, 0.4)))
    assert (found[SLOPE].value, found[SLOPE].target) == ("2.75", "true 3 (−0.250)")
    assert (found[INTERCEPT].value, found[INTERCEPT].target) == ("−0.500", "true 0 (−0.500)")


@pytest.mark.parametrize(("seconds_per_epoch", "written"), [(0.01, "100 k"), (0.0001, "10.0 M"), (2.0, "500")])
def test_speed_is_samples_in_a_second(seconds_per_epoch: float, written: str) -> None:
    assert shown(EMULATED, history_of(block(100, seconds_per_epoch)))[SPEED].value == written


@pytest.mark.parametrize(
    ("turns", "written"),
    [
        (StepTurns((StepTurn(0.004, 0.001, 0.002),) * 3), "0.25× 1 core · 0.50× whole CPU"),
        (StepTurns((StepTurn(0.004, 0.001),) * 3), "0.25× 1 core"),
        (StepTurns((StepTurn(0.001, 0.0015),) * 3, is_on_gpus=True), "1.5× 1 GPU"),
        (StepTurns((StepTurn(0.001, 0.01, 0.01),) * 3), "too noisy to tell"),
        (None, "not measured"),
    ],
    ids=["both", "one core alone", "GPUs", "ten times as fast with two", "none"],
)
def test_under_the_speed_stands_how_fast_replicas_are_beside_each_device(
    turns: StepTurns | None, written: str
) -> None:
    assert shown(EMULATED, history_of(began(turns), block(100, 0.01)))[SPEED].target == written


def test_a_run_of_an_older_version_has_its_one_ratio_and_one_without_replicas_none() -> None:
    older = RunStarted(1.0, ("a", "b"), (500, 500), True, 0.001, 0.004)
    assert shown(EMULATED, history_of(older, block(100, 0.01)))[SPEED].target == "0.25× 1 device"
    assert (
        shown(RunConfig(samples=1000), history_of(began(), block(100, 0.01)))[SPEED].target == "without replicas"
    )


@pytest.mark.parametrize(
    ("samples", "replicas", "busy", "target"),
    [
        (1000, 2, "2 of 2", "500 samples each"),
        (9, 4, "3 of 4", "0 to 3 samples"),
        (2, 4, "2 of 4", "0 to 1 samples"),
    ],
)
def test_replicas_at_work_are_those_with_a_shard(samples: int, replicas: int, busy: str, target: str) -> None:
    config = EMULATED.model_copy(update={"samples": samples, "replicas": replicas})
    found = shown(config)[REPLICAS]
    assert (found.value, found.target) == (busy, target)


def test_emulated_replicas_are_called_so() -> None:
    assert "mulated" in shown(EMULATED)[REPLICAS].name
    gpus = EMULATED.model_copy(update={"engine": EngineName.DATA_PARALLEL})
    assert "mulated" not in shown(gpus)[REPLICAS].name


@pytest.mark.parametrize(("value", "written"), [(0.5, "+0.500"), (-0.5, "−0.500"), (0.0, "+0")])
def test_a_difference_has_its_sign(value: float, written: str) -> None:
    assert signed(value) == written


def test_numbers_are_written_as_the_language_does(session: dict[str, Any]) -> None:
    language.LANGUAGE.put("pt_BR")
    found = shown(EMULATED, history_of(block(40, 0.01)))
    assert found[LOSS].value == "0,100"
    assert found[SLOPE].value == "2,50"
