"""The least-squares line of a model's predictions."""

import torch
from torch import Tensor


def line_projection(x: Tensor) -> Tensor:
    """A matrix that turns predictions into their least-squares line over x.

    `line_projection(x) @ predictions` is (slope, intercept), for x of the shape (num_samples, 1) and predictions
    of the shape (num_samples,). The matrix has the shape (2, num_samples), is float32 and lives where x does.
    """
    xs = x.flatten().double()
    mean_x = xs.mean()
    centred = xs - mean_x
    # The same choice as in `optimum`: where x does not vary, the line is flat.
    slope = centred / (centred @ centred).clamp_min(torch.finfo(torch.float64).tiny)
    return torch.stack([slope, 1 / len(xs) - mean_x * slope]).float()
