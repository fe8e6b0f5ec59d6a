"""The choice of GPUs in the sidebar, on a machine that has three as far as it is told."""

import pytest

from dpdash.training import catalog, hardware
from dpdash.training.engines import data_parallel
from dpdash.training.hardware import Device, DeviceLoad
from tests.app.conftest import OpenPage

GIB = 2**30
CPU = Device("A processor", "cpu", 0, 64 * GIB)
GPUS = tuple(Device(f"A card {index}", "cuda", index, 16 * GIB) for index in range(3))


@pytest.fixture(autouse=True)
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (hardware, catalog, data_parallel):
        monkeypatch.setattr(module, "num_gpus", lambda: len(GPUS))
    monkeypatch.setattr(hardware, "devices", lambda: (CPU, *GPUS))
    loads = (DeviceLoad(CPU, None, GIB), *(DeviceLoad(gpu, 0.25 * gpu.index, 4 * GIB) for gpu in GPUS))
    monkeypatch.setattr(hardware, "load", lambda: loads)


def test_the_gpus_that_are_chosen_are_as_many_replicas(open_page: OpenPage) -> None:
    page = open_page(engine="data_parallel", replicas=3)
    chosen = next(box for box in page.multiselect if box.label == "Which GPUs")
    assert (chosen.options, chosen.value) == ([f"{gpu.index}: {gpu.name}" for gpu in GPUS], [])
    assert "A card 2, 4.00 of 16.0 GiB taken, 50 % busy" in [caption.value for caption in page.sidebar.caption]

    chosen.set_value([2, 0]).run()
    assert page.query_params["devices"] == "2,0"
    assert page.query_params["replicas"] == "2"
    assert page.query_params["engine"] == "data_parallel"


def test_the_slider_lets_the_first_ones_train_again(open_page: OpenPage) -> None:
    page = open_page(engine="ddp", replicas=2, devices="2,1")
    slider = next(one for one in page.slider if one.label == "GPUs to use")
    slider.set_value(3).run()
    assert "devices" not in page.query_params
    assert page.query_params["replicas"] == "3"
    assert page.query_params["engine"] in ("ddp", ["ddp"])


def test_a_machine_with_one_gpu_offers_no_choice(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (hardware, catalog, data_parallel):
        monkeypatch.setattr(module, "num_gpus", lambda: 1)
    page = open_page()
    assert "Which GPUs" not in [box.label for box in page.multiselect]
