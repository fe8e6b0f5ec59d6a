"""A batch that is set for all replicas or for each, the linear scaling rule beside it, and what DDP alone has."""

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.training import catalog
from tests.app.conftest import OpenPage
from tests.app.driving import click, control

SETTINGS = {
    "samples": "10000",
    "engine": "cpu_replicas",
    "replicas": "2",
    "global_batch_size": "200",
    "learning_rate": "0.01",
}


def move(page: AppTest, name: str, value: object) -> AppTest:
    """Move a control of the sidebar, as a person does."""
    found = control([*page.slider, *page.select_slider, *page.button_group], name)
    found.set_value(value).run()
    assert not page.exception
    return page


def asked(page: AppTest, *names: str) -> tuple[object, ...]:
    """Settings of the next run."""
    return tuple(getattr(page.session_state["settings"], name) for name in names)


def test_a_batch_for_each_replica_grows_with_them_and_the_rule_gives_its_learning_rate(
    open_page: OpenPage,
) -> None:
    page = open_page(**SETTINGS)
    move(page, "replicas", 3)
    assert asked(page, "global_batch_size") == (200,), "for all"
    move(page, "replicas", 2)
    move(page, "batch_scope", "each")
    assert asked(page, "global_batch_size") == (200,), "the batch itself stays"
    move(page, "replicas", 3)
    assert asked(page, "global_batch_size", "learning_rate") == (300, 0.01)
    assert page.query_params["replica_batch"] in ("100", ["100"])
    assert any("0.015" in caption.value for caption in page.caption)
    click(page, "take_rule")
    assert asked(page, "learning_rate") == (0.015,)
    assert "take_rule" not in [button.key for button in page.button]
    move(page, "replica_batch_size", 1000)
    assert asked(page, "global_batch_size") == (3000,)
    move(page, "batch_scope", "all")
    assert asked(page, "global_batch_size") == (3000,)
    assert "replica_batch" not in page.query_params


def test_a_link_keeps_for_whom_the_batch_is_set(open_page: OpenPage) -> None:
    page = open_page(**SETTINGS, replica_batch="100")
    move(page, "replicas", 4)
    assert asked(page, "global_batch_size") == (400,)
    for hostile in ("-1", "0", "٣", "9" * 400, "all"):
        page = open_page(**SETTINGS, replica_batch=hostile)
        move(page, "replicas", 4)
        assert asked(page, "global_batch_size") == (200,)


def test_a_learning_rate_that_is_set_by_hand_is_where_the_rule_begins_anew(open_page: OpenPage) -> None:
    page = open_page(**SETTINGS, replica_batch="100")
    move(page, "learning_rate", 0.1)
    assert "take_rule" not in [button.key for button in page.button]
    move(page, "replicas", 1)
    assert asked(page, "global_batch_size", "engine") == (100, "single")
    click(page, "take_rule")
    assert asked(page, "learning_rate") == (0.05,)


def test_how_gradients_are_exchanged_is_asked_where_ddp_trains(open_page: OpenPage) -> None:
    if not catalog.offer().has_ddp:
        pytest.skip("no DDP here")
    page = open_page(**SETTINGS)
    assert "accumulation_steps" not in [slider.key for slider in page.select_slider]
    move(page, "parallel_way", "ddp")
    move(page, "accumulation_steps", 4)
    move(page, "bucket_cap_mb", 0.25)
    assert asked(page, "engine", "accumulation_steps", "bucket_cap_mb") == ("ddp", 4, 0.25)
    move(page, "bucket_cap_mb", "all")
    assert asked(page, "bucket_cap_mb") == (None,)
    move(page, "parallel_way", "data_parallel")
    assert asked(page, "engine", "accumulation_steps") == ("cpu_replicas", 1)


def test_a_warm_up_is_asked_for(open_page: OpenPage) -> None:
    page = open_page(**SETTINGS)
    move(page, "warmup_epochs", 5)
    assert asked(page, "warmup_epochs") == (5,)
    assert control(page.select_slider, "warmup_epochs").value == 5
