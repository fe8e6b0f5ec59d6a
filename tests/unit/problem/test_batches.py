import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.problem.batches import ShuffledBatches


@settings(max_examples=50, deadline=None)
@given(num_samples=st.integers(1, 200), size=st.integers(1, 200), seed=st.integers(0, 100))
def test_each_pass_has_every_sample_once_in_batches_of_the_size(num_samples: int, size: int, seed: int) -> None:
    size = min(size, num_samples)
    x = torch.arange(num_samples, dtype=torch.float32).view(-1, 1)
    batches = ShuffledBatches(x, -x, size, torch.Generator().manual_seed(seed))
    for _ in range(2):
        drawn = list(batches)
        assert len(drawn) == len(batches)
        assert all(len(batch_x) == size for batch_x, _ in drawn[:-1])
        assert all(torch.equal(batch_y, -batch_x) for batch_x, batch_y in drawn)
        joined = torch.cat([batch_x for batch_x, _ in drawn])
        assert torch.equal(joined.sort(dim=0).values, x)


def test_passes_differ_and_repeat_with_the_seed() -> None:
    x = torch.arange(100.0).view(-1, 1)
    orders = []
    for _ in range(2):
        batches = ShuffledBatches(x, x, 100, torch.Generator().manual_seed(3))
        orders.append([next(iter(batches))[0] for _ in range(2)])
    assert not torch.equal(orders[0][0], orders[0][1])
    assert torch.equal(torch.cat(orders[0]), torch.cat(orders[1]))
