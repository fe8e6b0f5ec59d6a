"""The models that can be trained, and the optimizers that train them."""

import math

import torch
from torch import Tensor, nn, optim

from dpdash.core.config import OptimizerName, RunConfig

SGD_MOMENTUM = 0.9


class SimpleNN(nn.Module):
    """A straight line: one weight, the slope, and one bias, the intercept."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for x; both have the shape (num_samples, 1)."""
        return self.layer(x)  # type: ignore[no-any-return]  # torch's


class MLP(nn.Module):
    """Hidden layers with ReLU between x and y: work that is worth splitting."""

    def __init__(self, hidden_width: int, hidden_depth: int) -> None:
        super().__init__()
        assert hidden_depth >= 1, "without hidden layers it is a SimpleNN"
        layers: list[nn.Module] = []
        width_in = 1
        for _ in range(hidden_depth):
            layers += [nn.Linear(width_in, hidden_width), nn.ReLU()]
            width_in = hidden_width
        self.layers = nn.Sequential(*layers, nn.Linear(width_in, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for x; both have the shape (num_samples, 1)."""
        return self.layers(x)  # type: ignore[no-any-return]  # torch's


def build_model(config: RunConfig, generator: torch.Generator) -> nn.Module:
    """Build the model of a run on the CPU with weights drawn from the run's own generator.

    `nn.Linear` draws from the global generator, which all runs of the process share: the layers are therefore
    made without storage first.
    """
    with torch.device("meta"):
        model = MLP(config.hidden_width, config.hidden_depth) if config.hidden_depth else SimpleNN()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            _draw_linear(module, generator)
    return model


def _draw_linear(layer: nn.Linear, generator: torch.Generator) -> None:
    """Give a layer its storage, and do what `nn.Linear.reset_parameters` does with the run's generator."""
    # Module.to_empty would do, but the first call imports sympy, a fifth of a second.
    layer.weight = nn.Parameter(torch.empty(layer.weight.shape))
    layer.bias = nn.Parameter(torch.empty(layer.bias.shape))
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    bound = 1 / math.sqrt(layer.in_features)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def build_optimizer(config: RunConfig, model: nn.Module, device: torch.device) -> optim.Optimizer:
    """Build the optimizer of a run, in one fused kernel where torch has it: an update is mostly overhead here."""
    parameters = list(model.parameters())
    fused = device.type in ("cpu", "cuda")
    match config.optimizer:
        case OptimizerName.ADAM:
            return optim.Adam(parameters, lr=config.learning_rate, fused=fused)
        case OptimizerName.ADAMW:
            return optim.AdamW(parameters, lr=config.learning_rate, fused=fused)
        case OptimizerName.SGD:
            return optim.SGD(parameters, lr=config.learning_rate, fused=fused)
        case OptimizerName.SGD_MOMENTUM:
            return optim.SGD(parameters, lr=config.learning_rate, momentum=SGD_MOMENTUM, fused=fused)
        case OptimizerName.RMSPROP:
            return optim.RMSprop(parameters, lr=config.learning_rate)
