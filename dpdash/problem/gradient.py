"""The gradient of the mean squared error over a whole batch, as exactly as this machine can work it out."""

import copy
from typing import Final

import torch
from torch import Tensor, nn

SAMPLES_AT_ONCE: Final = 8_192
"""Bounds the memory of wide layers, which in float64 take twice their room."""


def full_gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Shape (num_parameters,), float64: worked out on one device, on a copy of the model.

    `x` and `y` have the shape (num_samples, 1) and are where the model is.
    """
    exact = copy.deepcopy(model).double()
    exact.zero_grad()
    for x_part, y_part in zip(torch.split(x, SAMPLES_AT_ONCE), torch.split(y, SAMPLES_AT_ONCE), strict=True):
        errors = exact(x_part.double()) - y_part.double()
        torch.autograd.backward((errors**2).sum() / len(y))
    return flat_gradient(list(exact.parameters()))


def flat_gradient(tensors: list[Tensor]) -> Tensor:
    """The gradients of tensors one after the other, shape (num_elements,); zeros where there is none."""
    return torch.cat(
        [
            torch.zeros_like(tensor).flatten() if tensor.grad is None else tensor.grad.flatten()
            for tensor in tensors
        ]
    )
