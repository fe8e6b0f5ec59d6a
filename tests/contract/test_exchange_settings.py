"""The settings of DDP's exchange: whatever they are, the training is that of one device."""

from typing import Any

import numpy as np
import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.events import Checkpoint
from dpdash.training.catalog import engine
from dpdash.training.control import RunControl
from tests.contract.test_resuming import MEASURED, Steps, run
from tests.contract.training import config_for

pytestmark = pytest.mark.timeout(200)
MLP: dict[str, Any] = {"hidden_depth": 2, "hidden_width": 16, "epochs": 15}
UNAVAILABLE = engine(EngineName.DDP).availability(RunConfig(engine=EngineName.DDP)).problem


@pytest.fixture(autouse=True)
def _has_ddp() -> None:
    if UNAVAILABLE is not None:
        pytest.skip(str(UNAVAILABLE))


@pytest.mark.parametrize(
    ("settings", "exchange"),
    [
        # Micro-batches of 3 samples, of which one rank gets 2 and the other 1.
        pytest.param(MLP | {"samples": 9}, {"accumulation_steps": 3}, id="uneven parts of the whole batch"),
        # Micro-batches of one sample: the second rank gets none.
        pytest.param(
            MLP | {"samples": 9, "global_batch_size": 5},
            {"accumulation_steps": 8, "bucket_cap_mb": 0.0005},
            id="more parts than samples in batches",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"samples": 1}, {"accumulation_steps": 2}, id="a rank without samples", marks=pytest.mark.long
        ),
        pytest.param(
            {"samples": 501, "global_batch_size": 100},
            {"accumulation_steps": 4},
            id="a line in batches",
            marks=pytest.mark.long,
        ),
    ],
)
def test_losses_are_those_of_single(settings: dict[str, Any], exchange: dict[str, Any]) -> None:
    found = run(config_for(EngineName.DDP, **settings, **exchange))
    expected = run(config_for(EngineName.SINGLE, **settings))
    for column in ("loss", "slope", "intercept"):
        np.testing.assert_allclose(found.column(column), expected.column(column), rtol=1e-4, atol=1e-5)


@pytest.mark.long
def test_a_run_with_micro_batches_goes_on_as_if_it_had_never_stopped() -> None:
    config = config_for(EngineName.DDP, **MLP, samples=50, accumulation_steps=4, bucket_cap_mb=0.001)
    whole = run(config, steps=Steps(stops=False, control=RunControl(), moves=False))
    # It stood still, and so took a checkpoint, in the middle too.
    first = next(event for event in whole.events if isinstance(event, Checkpoint))
    assert first.epoch < config.epochs
    after = run(config, first)
    for column in MEASURED:
        np.testing.assert_array_equal(after.column(column), whole.column(column)[-len(after.column(column)) :])
