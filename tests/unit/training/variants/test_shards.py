"""Shards with models of their own: what they compute, whoever goes backward."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from dpdash.core.config import RunConfig
from dpdash.problem.data import draw
from dpdash.problem.model import build_model
from dpdash.training.variants.shards import Shard, at_once, with_one_backward

CONFIG = RunConfig(samples=12, hidden_depth=1, hidden_width=4, learning_rate=0.1)
CPU = torch.device("cpu")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture
def shards() -> list[Shard]:
    """Three, all of the same model."""
    data = draw(CONFIG)
    model = build_model(CONFIG, data.generator)
    return [Shard.on(CPU, CONFIG, model, x, y) for x, y in zip(data.x.chunk(3), data.y.chunk(3), strict=True)]


def parameters(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def gradients(model: nn.Module) -> Tensor:
    found = [parameter.grad for parameter in model.parameters()]
    return torch.cat([gradient.flatten() for gradient in found if gradient is not None])


def expected(shard: Shard) -> Tensor:
    """The gradient of a shard's own mean squared error, as autograd has it."""
    torch.autograd.backward(nn.functional.mse_loss(shard.model(shard.x), shard.y))
    return gradients(shard.model)


def test_each_trains_its_own_model_on_its_own_samples(shards: list[Shard], pool: ThreadPoolExecutor) -> None:
    wanted = [expected(shard) for shard in shards]
    before = [parameters(shard.model) for shard in shards]
    at_once(shards, pool)()
    for shard, gradient, old in zip(shards, wanted, before, strict=True):
        torch.testing.assert_close(gradients(shard.model), gradient)
        assert not torch.equal(parameters(shard.model), old)


def test_one_backward_goes_over_all_of_them_and_updates_the_first(
    shards: list[Shard], pool: ThreadPoolExecutor
) -> None:
    wanted = [expected(shard) for shard in shards]
    before = [parameters(shard.model) for shard in shards]
    with_one_backward(shards, pool)()
    for shard, gradient in zip(shards, wanted, strict=True):
        torch.testing.assert_close(gradients(shard.model), gradient)
    is_updated = [not torch.equal(parameters(shard.model), old) for shard, old in zip(shards, before, strict=True)]
    assert is_updated == [True, False, False]


def test_what_a_shard_raises_is_raised(shards: list[Shard], pool: ThreadPoolExecutor) -> None:
    shards[1].model.register_forward_pre_hook(lambda _model, _inputs: 1 / 0)
    for step in (at_once(shards, pool), with_one_backward(shards, pool)):
        with pytest.raises(ZeroDivisionError):
            step()
