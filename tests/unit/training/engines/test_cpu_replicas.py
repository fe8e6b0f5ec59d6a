import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from dpdash.core.config import RunConfig
from dpdash.problem.model import build_model
from dpdash.training.engines.cpu_replicas import CpuDataParallel


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def _model(hidden_depth: int = 0) -> nn.Module:
    return build_model(RunConfig(hidden_depth=hidden_depth, hidden_width=8), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("hidden_depth", [0, 2])
@pytest.mark.parametrize("num_samples", [1, 3, 9, 100])
def test_outputs_and_gradients_are_those_of_one_model(
    pool: ThreadPoolExecutor, hidden_depth: int, num_samples: int
) -> None:
    one, shared = _model(hidden_depth), _model(hidden_depth)
    parallel = CpuDataParallel(shared, 4, pool)
    x = torch.linspace(-5, 5, num_samples).view(-1, 1)
    for module in (one, parallel):
        torch.autograd.backward(nn.functional.mse_loss(module(x), 3 * x))
    torch.testing.assert_close(parallel(x), one(x))
    for expected, found in zip(one.parameters(), shared.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)


def test_replicas_are_module_objects_of_their_own(pool: ThreadPoolExecutor) -> None:
    model = _model(hidden_depth=1)
    replicas = CpuDataParallel(model, 3, pool).replicate(model, [0, 1, 2])
    modules = [module for each in (model, *replicas) for module in each.modules()]
    assert len({id(module) for module in modules}) == len(modules)
    for replica in replicas:
        assert not list(replica.parameters()), "copies are no leaves that an optimizer could update"


def test_gradients_of_the_copies_sum_to_the_models(pool: ThreadPoolExecutor) -> None:
    model = _model()
    parallel = CpuDataParallel(model, 4, pool)
    replicas = parallel.replicate(model, range(4))
    weights: list[Tensor] = [replica.layer.weight for replica in replicas]  # type: ignore[union-attr, misc]
    for weight in weights:
        weight.retain_grad()
    x = torch.linspace(-5, 5, 9).view(-1, 1)
    shards, _ = parallel.scatter((x,), None, range(4))
    assert [len(shard) for (shard,) in shards] == [3, 3, 3]
    outputs = parallel.parallel_apply(replicas[:3], shards, None)
    torch.autograd.backward(nn.functional.mse_loss(parallel.gather(outputs, 0), 3 * x))
    (parameter, _) = model.parameters()
    grads = [weight.grad for weight in weights]
    assert grads[3] is None or not grads[3].any()
    torch.testing.assert_close(sum(grad for grad in grads[:3] if grad is not None), parameter.grad)


def test_every_shard_is_computed_on_a_thread_of_the_pool(pool: ThreadPoolExecutor) -> None:
    threads: set[str] = set()

    class Named(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
            threads.add(threading.current_thread().name)
            return super().forward(input)

    CpuDataParallel(Named(1, 1), 4, pool)(torch.zeros(8, 1))
    assert threads and threading.current_thread().name not in threads


def test_without_gradients_nothing_is_recorded(pool: ThreadPoolExecutor) -> None:
    with torch.no_grad():
        assert not CpuDataParallel(_model(), 4, pool)(torch.zeros(8, 1)).requires_grad


def test_what_a_replica_raises_is_raised(pool: ThreadPoolExecutor) -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        CpuDataParallel(_model(), 4, pool)(torch.zeros(8, 3))
