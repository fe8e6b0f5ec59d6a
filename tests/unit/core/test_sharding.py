import torch
from hypothesis import given
from hypothesis import strategies as st

from dpdash.core.sharding import shard_sizes

SAMPLES = st.integers(0, 5000)
REPLICAS = st.integers(1, 64)


@given(num_samples=SAMPLES, num_replicas=REPLICAS)
def test_shards_sum_to_the_batch(num_samples: int, num_replicas: int) -> None:
    sizes = shard_sizes(num_samples, num_replicas)
    assert sum(sizes) == num_samples
    assert len(sizes) == num_replicas


@given(num_samples=SAMPLES.filter(bool), num_replicas=REPLICAS)
def test_shards_are_those_of_torch(num_samples: int, num_replicas: int) -> None:
    chunks = [len(chunk) for chunk in torch.arange(num_samples).chunk(num_replicas)]
    idle = [0] * (num_replicas - len(chunks))
    assert list(shard_sizes(num_samples, num_replicas)) == chunks + idle


def test_nine_samples_on_four_replicas_leave_one_idle() -> None:
    assert shard_sizes(9, 4) == (3, 3, 3, 0)
