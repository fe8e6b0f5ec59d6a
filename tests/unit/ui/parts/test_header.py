"""The printed command repeats the run."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from typer.testing import CliRunner

from dpdash.cli import app as cli
from dpdash.core.config import RunConfig
from dpdash.core.events import StopReason
from dpdash.ui.parts.header import STOP_REASONS, command_line
from tests.strategies import run_configs


def parsed(command: str) -> RunConfig:
    """The config that a command's options stand for: `--learning-rate 0.1` is `learning_rate`."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "dpdash", "train"]
    names = [word.removeprefix("--").replace("-", "_") for word in words[4::2]]
    return RunConfig.parse(dict(zip(names, words[5::2], strict=True)))


@given(run_configs())
def test_command_stands_for_the_same_config(config: RunConfig) -> None:
    assert parsed(command_line(config)) == config


def test_usual_settings_are_left_out() -> None:
    assert command_line(RunConfig()) == "python -m dpdash train"
    assert command_line(RunConfig(learning_rate=0.05)) == "python -m dpdash train --learning-rate 0.05"


def test_the_command_line_takes_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[RunConfig] = []

    def take(self: object, config: RunConfig, *_: Any) -> str:
        taken.append(config)
        raise SystemExit

    monkeypatch.setenv("DPDASH_DATABASE_URL", f"sqlite:///{tmp_path / 'runs.db'}")
    monkeypatch.setattr("dpdash.cli.app.RunService.start", take)
    config = RunConfig(
        samples=200,
        noise=1e-07,
        seed=2**32 - 1,
        epochs=9,
        learning_rate=1e-06,
        optimizer="rmsprop",
        global_batch_size=20,
        engine="cpu_replicas",
        replicas=3,
        hidden_width=5,
        hidden_depth=2,
    )
    CliRunner().invoke(cli.app, shlex.split(command_line(config))[3:])
    assert taken == [config]


def test_every_reason_has_its_words() -> None:
    assert set(STOP_REASONS) == set(StopReason) - {StopReason.SHUTDOWN}, "that is a status of its own"
