import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.config import EngineName, OptimizerName, RunConfig
from dpdash.problem.batches import ShuffledBatches
from dpdash.problem.data import draw
from dpdash.problem.model import build_model
from dpdash.problem.preview import preview, target


def _config(samples: int, replicas: int, global_batch_size: int | None = None) -> RunConfig:
    return RunConfig(
        samples=samples,
        replicas=replicas,
        engine=EngineName.CPU_REPLICAS,
        global_batch_size=global_batch_size,
    )


def test_untrained_line_and_optimum_of_the_default_run() -> None:
    shown = preview(RunConfig())
    assert (shown.slope, shown.intercept) == pytest.approx((0.1132, -0.4689), abs=1e-4)
    assert shown.noise_floor == 0.25
    assert shown.optimum.slope == pytest.approx(3, abs=0.01)
    assert len(shown.x) == len(shown.y) == len(shown.replica) == 400
    assert shown.x.dtype == shown.y.dtype == np.float32


def test_points_are_points_of_the_data() -> None:
    data = draw(RunConfig())
    shown = preview(RunConfig())
    points = {(float(x), float(y)) for x, y in zip(data.x, data.y, strict=True)}
    assert {(float(x), float(y)) for x, y in zip(shown.x, shown.y, strict=True)} <= points


def test_points_of_a_full_batch_lie_in_torchs_chunks() -> None:
    config = _config(9, 4)
    shown = preview(config)
    assert shown.shard_sizes == (3, 3, 3, 0)
    for replica, chunk in enumerate(draw(config).x.chunk(4)):
        assert sorted(shown.x[shown.replica == replica]) == sorted(chunk.flatten().tolist())


def test_points_of_a_batch_lie_where_the_first_epoch_puts_them() -> None:
    config = _config(100, 3, global_batch_size=32)
    shown = preview(config)
    data = draw(config)
    build_model(config, data.generator)
    replica_of = {
        x: replica
        for batch, _ in ShuffledBatches(data.x, data.y, 32, data.generator)
        for replica, chunk in enumerate(torch.chunk(batch, 3))
        for x in chunk.flatten().tolist()
    }
    assert [replica_of[float(x)] for x in shown.x] == shown.replica.tolist()
    assert shown.shard_sizes == (11, 11, 10)


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(1, 2000),
    replicas=st.integers(1, 8),
    batch=st.none() | st.integers(1, 2000),
    max_points=st.integers(1, 300),
)
def test_every_replica_has_its_due_share_of_the_points(
    samples: int, replicas: int, batch: int | None, max_points: int
) -> None:
    config = _config(samples, replicas, None if batch is None else min(batch, samples))
    shown, everything = preview(config, max_points), preview(config, samples)
    assert len(shown.x) == min(max_points, samples)
    due = np.bincount(everything.replica, minlength=replicas) * len(shown.x) / samples
    assert np.abs(np.bincount(shown.replica, minlength=replicas) - due).max() <= 1


def test_settings_that_change_nothing_visible_share_a_preview() -> None:
    other = RunConfig(learning_rate=0.1, optimizer=OptimizerName.SGD, epochs=7)
    assert preview(RunConfig()) is preview(other)
    assert preview(RunConfig()) is not preview(RunConfig(seed=1))
    with pytest.raises(ValueError, match="read-only"):
        preview(RunConfig()).x[0] = 0


def test_an_mlp_shows_the_line_of_its_predictions() -> None:
    config = RunConfig(hidden_depth=1, samples=500)
    shown = preview(config)
    data = draw(config)
    predictions = build_model(config, data.generator)(data.x).detach().numpy().ravel()
    assert (shown.slope, shown.intercept) == pytest.approx(
        tuple(np.polyfit(data.x.numpy().ravel(), predictions, 1)), rel=1e-3, abs=1e-4
    )


@pytest.mark.parametrize("samples", [1, 2, 500])
def test_a_run_is_measured_against_its_own_data(samples: int) -> None:
    config = RunConfig(samples=samples, noise=0.7)
    known = preview(config)
    x = draw(config).x.numpy().astype(float)
    found = target(known)
    assert found.mean_square_x == pytest.approx(np.mean(x**2), rel=1e-6)
    assert (found.optimum_slope, found.optimum_loss) == (known.optimum.slope, known.optimum.loss)
    assert found.noise_floor == pytest.approx(0.49)
