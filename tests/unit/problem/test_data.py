import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dpdash.core.config import RunConfig
from dpdash.problem.data import as_column, draw
from dpdash.problem.model import SimpleNN, build_model
from tests.reference import listing


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), samples=st.integers(1, 300), noise=st.floats(0, 100, allow_subnormal=False))
def test_data_and_weights_are_the_listings_bit_for_bit(seed: int, samples: int, noise: float) -> None:
    config = RunConfig(seed=seed, samples=samples, noise=noise)
    data = draw(config)
    model = build_model(config, data.generator)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        x, y = listing.draw(samples, noise)
        reference = listing.SimpleNN()
    assert torch.equal(data.x, x)
    assert torch.equal(data.y, y)
    assert isinstance(model, SimpleNN)
    assert torch.equal(model.layer.weight, reference.layer.weight)
    assert torch.equal(model.layer.bias, reference.layer.bias)


def test_default_data_and_weights_are_the_listings_bit_for_bit() -> None:
    config = RunConfig()
    data = draw(config)
    model = build_model(config, data.generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x, y = listing.draw(10_000, 0.5)
        reference = listing.SimpleNN()
    assert torch.equal(data.x, x) and torch.equal(data.y, y)
    ours, theirs = (torch.nn.utils.parameters_to_vector(each.parameters()) for each in (model, reference))
    assert torch.equal(ours, theirs)


def test_nothing_touches_the_global_generator() -> None:
    before = torch.get_rng_state()
    for hidden_depth in (0, 2):
        config = RunConfig(samples=10, hidden_depth=hidden_depth)
        build_model(config, draw(config).generator)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_column_is_the_same_memory_with_other_strides() -> None:
    values = torch.arange(6.0).view(6, 1)
    column = as_column(values)
    assert column.data_ptr() == values.data_ptr()
    assert torch.equal(column, values)
    assert column.stride() == (1, 6)
