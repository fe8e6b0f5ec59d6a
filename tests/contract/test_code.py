"""The scripts that a page shows train as a run with the same settings does."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.core.events import EpochBlock, LearningRateChanged, RunDiverged, RunEvent, RunFinished
from dpdash.core.learning_rates import moves
from dpdash.core.own_data import Table
from dpdash.files.own_data import table_parts
from dpdash.files.script import ScriptName, command, script
from dpdash.problem import tables
from dpdash.training import catalog
from dpdash.training.control import RunControl
from tests.contract.training import Watcher, run

LAUNCH_SECONDS: Final = 90
LAUNCHES: Final = 2
"""A launch of torchrun may die at its start, cause unknown (seen once in six): it is tried once more."""
TOLERANCE: Final = 1e-4

UNEVEN: Final = {"samples": 9, "epochs": 12}
MLP: Final = {"hidden_depth": 2, "hidden_width": 16, "samples": 300, "epochs": 12}
CONFIGS: Final[Mapping[str, RunConfig]] = {
    "default": RunConfig(),
    "batches": RunConfig(samples=500, epochs=10, global_batch_size=64, seed=7, noise=1.5),
    "uneven": RunConfig(**UNEVEN, engine=EngineName.CPU_REPLICAS, replicas=4),
    "mlp": RunConfig(**MLP),
    "warm-up": RunConfig(samples=200, epochs=12, warmup_epochs=5, learning_rate=0.05),
    "mlp in batches": RunConfig(**MLP, global_batch_size=70, engine=EngineName.CPU_REPLICAS, replicas=2),
    **{
        optimizer: RunConfig(samples=200, epochs=12, optimizer=optimizer, learning_rate=0.02)
        for optimizer in OptimizerName
        if optimizer is not OptimizerName.ADAM
    },
}
ON_RANKS: Final[Mapping[str, RunConfig]] = {
    # The last batch of 9 is cut 5 and 4, with 4 ranks 3, 3, 3 and none.
    "batches, the last one uneven": RunConfig(
        samples=73, epochs=8, global_batch_size=64, engine=EngineName.CPU_REPLICAS, replicas=2, seed=3
    ),
    "micro-batches": RunConfig(
        **MLP, warmup_epochs=4, engine=EngineName.DDP, replicas=2, accumulation_steps=3, bucket_cap_mb=0.001
    ),
    "more micro-batches than samples": RunConfig(
        **UNEVEN, global_batch_size=4, engine=EngineName.DDP, replicas=2, accumulation_steps=4
    ),
    "an idle rank": RunConfig(**UNEVEN, engine=EngineName.CPU_REPLICAS, replicas=4),
    "mlp, momentum": RunConfig(
        **{**MLP, "samples": 33},
        optimizer=OptimizerName.SGD_MOMENTUM,
        engine=EngineName.CPU_REPLICAS,
        replicas=2,
    ),
}


OWN: Final = Table(np.linspace(20, 200, 60), 1500 + 12.5 * np.linspace(20, 200, 60) + np.sin(np.arange(60.0)))
ON_OWN_DATA: Final[Mapping[str, RunConfig]] = {
    "as it is": RunConfig(epochs=12).on(OWN.reference("data.csv", is_standardised=False)),
    "standardised": RunConfig(epochs=12, global_batch_size=16).on(OWN.reference("data.csv", is_standardised=True)),
}


def selected(configs: Mapping[str, RunConfig], *in_every_run: str) -> list[Any]:
    """The names of the configs; those that are not in every run of the tests are marked as long."""
    return [name if name in in_every_run else pytest.param(name, marks=pytest.mark.long) for name in configs]


@dataclass(frozen=True)
class Result:
    """What a script wrote and printed."""

    losses: list[float]
    slope: float
    intercept: float
    printed: str


def execute(name: ScriptName, config: RunConfig, folder: Path) -> Result:
    """Save the script as it is shown, and start it as the page says, with the Python of these tests."""
    return started(name, config, script(name, config), folder)


def started(name: ScriptName, config: RunConfig, source: str, folder: Path) -> Result:
    file, losses = folder / name.file_name, folder / "losses.json"
    file.write_text(source)
    launch = command(name, config).split()
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    program = {"python": [sys.executable], "torchrun": torchrun}[launch[0]]
    for attempt in range(1, LAUNCHES + 1):
        done = subprocess.run(
            [*program, *launch[1:], losses.name],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=LAUNCH_SECONDS,
        )
        if done.returncode == 0 or attempt == LAUNCHES or name is not ScriptName.DDP:
            break
    assert done.returncode == 0, done.stderr
    return Result(**json.loads(losses.read_text()), printed=done.stdout)


def assert_equals_the_run(result: Result, config: RunConfig) -> None:
    assert_equals(result, run(catalog.engine(config.engine), config))


def assert_equals(result: Result, watcher: Watcher) -> None:
    ending = watcher.terminal
    assert isinstance(ending, RunFinished)
    np.testing.assert_allclose(result.losses, watcher.column("loss"), rtol=TOLERANCE)
    np.testing.assert_allclose(
        [result.slope, result.intercept], [ending.slope, ending.intercept], rtol=TOLERANCE, atol=TOLERANCE
    )


@pytest.mark.parametrize("case", selected(CONFIGS, "default", "batches", "mlp"))
def test_the_data_parallel_script_trains_as_the_run_does(case: str, tmp_path: Path) -> None:
    config = CONFIGS[case]
    result = execute(ScriptName.DATA_PARALLEL, config, tmp_path)
    assert_equals_the_run(result, config)
    assert "DataParallel" in result.printed.splitlines()[0]
    *_, last_epoch, speed, last = result.printed.splitlines()
    seconds, epochs_per_second, samples_per_second = map(float, re.findall(r"[\d.e+-]+(?= [a-z])", speed))
    assert epochs_per_second * seconds == pytest.approx(config.epochs, rel=0.02)
    assert samples_per_second == pytest.approx(epochs_per_second * config.samples, rel=0.02)
    assert last_epoch == f"epoch {config.epochs}: loss {result.losses[-1]:.6g}"
    assert last == f"slope {result.slope:.6g} (true: 3), intercept {result.intercept:.6g} (true: 0)"


@pytest.mark.parametrize("case", selected(ON_RANKS, "batches, the last one uneven"))
def test_the_ddp_script_trains_as_the_run_does(case: str, tmp_path: Path) -> None:
    config = ON_RANKS[case]
    result = execute(ScriptName.DDP, config, tmp_path)
    assert_equals_the_run(result, config)
    assert result.printed.startswith(f"{config.replicas} ranks on ")
    assert result.printed.count("slope ") == 1, "one rank speaks for all"


BROUGHT: Final = {
    "DATA": "x = torch.linspace(-1, 1, 60).reshape(30, 2)\ny = x.sum(1, keepdim=True).tanh()\nSAMPLES = len(x)",
    "MODEL": "model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))",
    "RESULT": 'result = {"slope": 0.0, "intercept": 0.0}',
}
"""What somebody puts into the marked places: two columns into one, with another network."""


@pytest.mark.parametrize("header", ["x,y", None, "y;x"])
@pytest.mark.parametrize("case", selected(ON_OWN_DATA, "standardised"))
def test_the_script_of_a_run_on_own_data_reads_the_same_file(
    case: str, header: str | None, tmp_path: Path
) -> None:
    config = ON_OWN_DATA[case]
    tables.keep(OWN)
    written = b"".join(table_parts(OWN)).decode()
    if header is None:
        written = written.partition("\n")[2]
    elif header != "x,y":
        pairs = (line.split(",") for line in written.split())
        written = "\n".join(f"{y};{x}".replace(".", ",") for x, y in pairs)
    (tmp_path / "data.csv").write_text(written)
    result = execute(ScriptName.DATA_PARALLEL, config, tmp_path)
    assert_equals_the_run(result, config)
    assert "true" not in result.printed


@pytest.mark.parametrize(
    ("name", "size"), [(ScriptName.DATA_PARALLEL, 8), pytest.param(ScriptName.DDP, 8, marks=pytest.mark.long)]
)
def test_the_marked_places_take_ones_own_data_and_model(name: ScriptName, size: int, tmp_path: Path) -> None:
    config = RunConfig(samples=30, epochs=40, global_batch_size=size, engine=EngineName.CPU_REPLICAS, replicas=2)
    source = script(name, config)
    for place, code in BROUGHT.items():
        # From the mark to the next empty line.
        source, num_places = re.subn(rf"# YOUR {place} .*?\n(?=\n)", code + "\n", source, flags=re.DOTALL)
        assert num_places == 1
    losses = started(name, config, source, tmp_path).losses
    assert len(losses) == config.epochs
    assert losses[-1] < losses[0] / 2


MOVED: Final[Mapping[ScriptName, RunConfig]] = {
    ScriptName.DATA_PARALLEL: RunConfig(samples=200, epochs=30, learning_rate=0.02),
    ScriptName.DDP: RunConfig(
        samples=73, epochs=30, global_batch_size=64, engine=EngineName.CPU_REPLICAS, replicas=2, seed=3
    ),
}


@pytest.mark.parametrize("name", [ScriptName.DATA_PARALLEL, pytest.param(ScriptName.DDP, marks=pytest.mark.long)])
def test_a_learning_rate_that_was_moved_is_moved_in_the_script_too(name: ScriptName, tmp_path: Path) -> None:
    config, control = MOVED[name], RunControl()

    def move(event: RunEvent) -> None:
        match event:
            case EpochBlock(first_epoch=1):
                control.set_learning_rate(0.3)
            case LearningRateChanged(learning_rate=0.3):
                control.set_learning_rate(0.001)

    watcher = run(catalog.engine(config.engine), config, control, move)
    changes = tuple(event for event in watcher.events if isinstance(event, LearningRateChanged))
    assert [change.learning_rate for change in moves(config, changes)][-1] == 0.001
    moved = started(name, config, script(name, config, changes=changes), tmp_path)
    assert_equals(moved, watcher)
    with pytest.raises(AssertionError, match="Mismatched"):
        assert_equals_the_run(moved, config)


def test_a_script_says_where_it_diverged(tmp_path: Path) -> None:
    config = RunConfig(samples=50, epochs=200, optimizer=OptimizerName.SGD, learning_rate=5.0)
    result = execute(ScriptName.DATA_PARALLEL, config, tmp_path)
    watcher = run(catalog.engine(config.engine), config)
    assert isinstance(watcher.terminal, RunDiverged)
    assert "Diverged at epoch" in result.printed
    assert abs(len(result.losses) - watcher.terminal.num_epochs) <= 1


def test_the_ddp_script_without_torchrun_says_how_to_start_it(tmp_path: Path) -> None:
    file = tmp_path / ScriptName.DDP.file_name
    file.write_text(script(ScriptName.DDP, RunConfig()))
    environment: dict[str, Any] = {name: value for name, value in os.environ.items() if name != "RANK"}
    done = subprocess.run([sys.executable, file], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert command(ScriptName.DDP, RunConfig()) in done.stderr
