from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from dpdash.core.config import OptimizerName, RunConfig
from dpdash.problem.model import MLP, build_model, build_optimizer

CPU = torch.device("cpu")


def test_mlp_weights_are_those_of_torch_layers_drawn_in_order() -> None:
    model = build_model(RunConfig(hidden_width=8, hidden_depth=2), torch.Generator().manual_seed(7))
    assert isinstance(model, MLP)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        reference = MLP(8, 2)
    ours, theirs = (nn.utils.parameters_to_vector(each.parameters()) for each in (model, reference))
    assert torch.equal(ours, theirs)
    assert model(torch.zeros(5, 1)).shape == (5, 1)


@pytest.mark.parametrize("name", OptimizerName)
def test_optimizers_update_like_torchs_unfused_ones(name: OptimizerName) -> None:
    plain: Callable[[Any], torch.optim.Optimizer] = {
        OptimizerName.ADAM: lambda p: torch.optim.Adam(p, lr=0.1, foreach=False),
        OptimizerName.ADAMW: lambda p: torch.optim.AdamW(p, lr=0.1, foreach=False),
        OptimizerName.SGD: lambda p: torch.optim.SGD(p, lr=0.1, foreach=False),
        OptimizerName.SGD_MOMENTUM: lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, foreach=False),
        OptimizerName.RMSPROP: lambda p: torch.optim.RMSprop(p, lr=0.1, foreach=False),
    }[name]
    config = RunConfig(optimizer=name, learning_rate=0.1)
    ours, theirs = (build_model(config, torch.Generator().manual_seed(1)) for _ in range(2))
    x = torch.linspace(-5, 5, 20).view(-1, 1)
    for model, optimizer in ((ours, build_optimizer(config, ours, CPU)), (theirs, plain(theirs.parameters()))):
        for _ in range(5):
            optimizer.zero_grad()
            torch.autograd.backward(nn.functional.mse_loss(model(x), 3 * x))
            optimizer.step()
    for mine, plain_one in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, plain_one)
