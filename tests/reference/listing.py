"""The reference listing: the training that the dashboard must reproduce.

`losses(seed=0)` is the sequence that a run with the default settings and the same seed must show, epoch by epoch
(float32; relative tolerance 1e-5 on one CPU device). `train` is its bare loop alone, which the benchmarks time.
"""

import torch
from torch import Tensor, nn, optim


class SimpleNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)  # type: ignore[no-any-return]


def draw(n_samples: int, noise: float) -> tuple[Tensor, Tensor]:
    X = torch.rand(n_samples, 1) * 10 - 5  # noqa: N806 (between -5 and 5; the listing's own name)
    y = X * 3 + torch.randn(n_samples, 1) * noise  # a straight line with some noise
    return X, y


def train(
    X: Tensor,  # noqa: N803
    y: Tensor,
    num_epochs: int,
    lr: float,
) -> tuple[list[float], nn.Module]:
    model: nn.Module = SimpleNN()
    num_gpus = torch.cuda.device_count()
    device = torch.device("cuda" if num_gpus else "cpu")
    if num_gpus > 1:
        model = nn.DataParallel(model)
    model = model.to(device)
    criterion = nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), lr=lr)

    history = []
    for _epoch in range(num_epochs):
        inputs, labels = X.to(device), y.to(device)  # the listing moves the data in every epoch
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history, model


def losses(
    seed: int = 0, n_samples: int = 10_000, noise: float = 0.5, num_epochs: int = 500, lr: float = 0.01
) -> tuple[list[float], float, float]:
    """Loss of every epoch, then the trained weight and bias. The caller's global generator stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        X, y = draw(n_samples, noise)  # noqa: N806
        history, model = train(X, y, num_epochs, lr)
    weight, bias = (parameter.item() for parameter in model.parameters())
    return history, weight, bias
