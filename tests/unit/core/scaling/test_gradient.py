"""Bytes of a gradient, and the buckets that DDP cuts it into: those of torch itself."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._C._distributed_c10d import _compute_bucket_assignment_by_size

from dpdash.core.config import RunConfig
from dpdash.core.scaling.gradient import (
    BYTES_OF_A_NUMBER,
    FIRST_BUCKET_BYTES,
    MIB,
    MOST_CAPS,
    OTHER_BUCKETS_BYTES,
    bucket_caps,
    bucket_sizes,
    gradient_bytes,
    tensor_sizes,
)
from dpdash.problem.model import build_model

MODELS = [(64, 0), (64, 1), (512, 2), (512, 4), (2048, 3)]


@pytest.mark.parametrize(("width", "depth"), MODELS)
def test_the_bytes_are_those_of_the_model(width: int, depth: int) -> None:
    model = build_model(RunConfig(hidden_width=width, hidden_depth=depth), torch.Generator())
    sizes = tuple(BYTES_OF_A_NUMBER * parameter.numel() for parameter in model.parameters())
    assert tensor_sizes(width, depth) == sizes
    assert gradient_bytes(width, depth) == sum(sizes)


@pytest.mark.parametrize(("width", "depth"), MODELS)
@pytest.mark.parametrize("cap", [None, 0.001, 0.01, 1.0, 1.5, 1000.0])
def test_buckets_are_cut_as_torch_cuts_them(width: int, depth: int, cap: float | None) -> None:
    sizes = tensor_sizes(width, depth)
    backward = [torch.zeros(size // BYTES_OF_A_NUMBER) for size in reversed(sizes)]
    limits = [FIRST_BUCKET_BYTES, OTHER_BUCKETS_BYTES] if cap is None else [round(cap * MIB)]
    found, _limits = _compute_bucket_assignment_by_size(backward, limits)
    torchs = tuple(sum(backward[index].nbytes for index in bucket) for bucket in found)
    assert bucket_sizes(sizes, cap) == torchs


@given(st.integers(1, 4096), st.integers(0, 8))
def test_each_size_that_is_offered_cuts_differently(width: int, depth: int) -> None:
    sizes = tensor_sizes(width, depth)
    caps = bucket_caps(sizes)
    cuts = [bucket_sizes(sizes, cap) for cap in caps]
    assert caps[0] is None and len(set(cuts)) == len(cuts) <= MOST_CAPS
    assert all(sum(cut) == sum(sizes) for cut in cuts)
    assert min(map(len, cuts)) == 1, "one bucket is among them"


def test_the_line_has_one_bucket_whatever_its_size() -> None:
    assert gradient_bytes(64, 0) == 8
    assert bucket_caps(tensor_sizes(64, 0)) == (None,)
