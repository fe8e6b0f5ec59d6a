"""A step without a run; what every engine keeps to is in tests/contract/test_traces.py."""

import gc
import json

import pytest
import torch

from dpdash.core.config import RunConfig
from dpdash.core.errors import EngineUnavailableError
from dpdash.core.steps import Phase
from dpdash.problem.data import draw
from dpdash.problem.gradient import SAMPLES_AT_ONCE, full_gradient
from dpdash.problem.model import build_model
from dpdash.training.trace.step import TraceError, chrome_trace, trace_config

THREE = RunConfig(samples=90, engine="cpu_replicas", replicas=3)


def test_a_chrome_trace_has_every_phase_of_the_step() -> None:
    events = json.loads(chrome_trace(THREE))["traceEvents"]
    named = {event.get("name") for event in events}
    lanes = {Phase.PARALLEL_APPLY: range(3), Phase.BACKWARD: range(3)}
    for phase in Phase:
        for lane in lanes.get(phase, range(1)):
            assert f"{phase.value} on replica {lane}" in named
    threads = {event["tid"] for event in events if str(event.get("name")).startswith("parallel_apply on")}
    assert threads, "the replicas' threads are seen too"
    assert all({"ts", "dur"} <= event.keys() for event in events if event.get("ph") == "X")


def test_a_chrome_trace_can_be_taken_again() -> None:
    for _ in range(2):
        assert json.loads(chrome_trace(RunConfig(samples=20)))["traceEvents"]


def num_tensors() -> int:
    """Tensors that the collector knows of. `isinstance` would ask objects that warn when they are asked."""
    gc.collect()
    return sum(issubclass(type(known), torch.Tensor) for known in gc.get_objects())


@pytest.mark.parametrize("config", [RunConfig(samples=90), THREE])
def test_a_traced_step_leaves_no_tensor_behind(config: RunConfig) -> None:
    trace_config(config)
    before = num_tensors()
    for _ in range(3):
        trace_config(config)
    assert num_tensors() <= before


def test_a_step_that_fails_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise ArithmeticError("it broke")

    monkeypatch.setattr("dpdash.training.loop.run.draw", fail)
    with pytest.raises(TraceError, match="ArithmeticError: it broke"):
        trace_config(THREE)


@pytest.mark.skipif(torch.cuda.device_count() >= 2, reason="needs a machine with fewer than two GPUs")
@pytest.mark.parametrize("trace", [trace_config, chrome_trace])
def test_an_engine_that_this_machine_lacks_is_refused(trace: object) -> None:
    with pytest.raises(EngineUnavailableError, match="at least 2 GPUs"):
        trace(THREE.model_copy(update={"engine": "data_parallel"}))  # type: ignore[operator]


def test_the_gradient_in_parts_is_that_of_the_whole() -> None:
    config = RunConfig(samples=2 * SAMPLES_AT_ONCE + 7, hidden_depth=1, hidden_width=4)
    data = draw(config)
    model = build_model(config, data.generator)
    exact = model.double()
    torch.autograd.backward(torch.nn.functional.mse_loss(exact(data.x.double()), data.y.double()))
    whole = torch.cat([parameter.grad.flatten() for parameter in exact.parameters()])  # type: ignore[union-attr]
    torch.testing.assert_close(full_gradient(model, data.x, data.y), whole)


def test_the_model_and_its_gradients_are_left_alone() -> None:
    data = draw(THREE)
    model = build_model(THREE, data.generator)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    full_gradient(model, data.x, data.y)
    assert all(parameter.grad is None and parameter.dtype is torch.float32 for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("width", [8, 64])
def test_the_memory_of_a_step_has_what_the_hidden_layer_keeps_for_the_way_back(width: int) -> None:
    samples, number = 1000, 4
    (replica,) = trace_config(RunConfig(samples=samples, hidden_depth=1, hidden_width=width)).replicas
    columns = 3 * samples * number  # x, y and the outputs
    parameters = (3 * width + 1) * number
    kept = samples * width * number
    assert replica.memory_bytes is not None
    assert columns + kept <= replica.memory_bytes <= columns + kept + 5 * parameters
