"""What an exchange costs, on the Scaling page, without a browser."""

import re
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.scaling.study import StudyStatus
from dpdash.core.translations import PSEUDO
from dpdash.runs.service import RunService
from dpdash.scaling.service import ScalingService
from dpdash.ui.session.inputs import SCALING_VIEW, ScalingView
from dpdash.web.process import scaling_service
from tests.app.conftest import OpenPage, put
from tests.app.driving import again, click, control, go
from tests.app.visible import visible_texts
from tests.fakes import FakeMeasuring, eventually
from tests.unit.sweeps.conftest import plan_of

SCALING = "../pages/scaling.py"
LONG = 60.0
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
TERMS = re.compile(r":material/\w+:|MiB|KiB|dtick|extra|torch")
WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{3,}")


@pytest.fixture
def fake() -> FakeMeasuring:
    return FakeMeasuring(lambda config: 100.0)


@pytest.fixture
def studies(service: RunService, fake: FakeMeasuring) -> Iterator[ScalingService]:
    """The scaling service that the pages share, with an engine that trains nothing."""
    made = scaling_service()
    made._begin = lambda: fake
    yield made
    fake.gate.set()
    made.close(timeout=LONG)


def said(page: AppTest) -> str:
    boxes = (*page.info, *page.warning, *page.error, *page.markdown)
    return "\n".join(str(shown.value).replace("\\", "") for shown in boxes)


def of_exchange(open_page: OpenPage, **query: str) -> AppTest:
    return go(open_page(**{"measures": "exchange", **query}), SCALING)


def test_a_study_from_start_to_sentences(open_page: OpenPage, studies: ScalingService) -> None:
    page = of_exchange(open_page, hidden_depth="2", hidden_width="512")
    assert "whose gradient has 1,056,772 bytes" in said(page)
    click(page, "exchange_start")
    assert studies.wait(LONG)
    again(page)
    (head,) = studies.exchanges()
    shown = studies.exchange(head.value_id)
    assert shown is not None and shown.study.status is StudyStatus.FINISHED
    assert (head.plan.hidden_width, head.plan.hidden_depth) == (512, 2)
    assert control(page.selectbox, "exchange_study").value == head.value_id
    text = said(page)
    for part in (
        f"An all-reduce over {head.plan.replicas} ranks takes",
        "The gradient of this model has 1.06 MB",
        "A step takes 10",
    ):
        assert part in text
    assert len(page.get("download_button")) == 2


def test_a_line_is_latency_alone_and_a_larger_network_is_a_click_away(
    open_page: OpenPage, studies: ScalingService
) -> None:
    page = of_exchange(open_page, hidden_depth="0")
    assert "whose gradient has 8 bytes" in said(page)
    click(page, "exchange_large")
    assert studies.wait(LONG)
    (head,) = studies.exchanges()
    assert (head.plan.hidden_width, head.plan.hidden_depth) == (512, 2)
    again(page)
    assert "has 8 bytes, which is latency alone" in said(page), "the model of the sidebar is marked, not measured"


def test_the_switch_stands_in_the_address(open_page: OpenPage, studies: ScalingService) -> None:
    page = of_exchange(open_page)
    assert page.query_params["measures"] == "exchange"
    put(page, SCALING_VIEW.name, ScalingView.SPEED_UP)
    again(page)
    assert "measures" not in page.query_params
    assert any(str(button.key).startswith("scaling_start") for button in page.button)


def test_what_is_measured_elsewhere_on_the_page_is_said_and_can_be_cancelled(
    open_page: OpenPage, studies: ScalingService, fake: FakeMeasuring
) -> None:
    fake.gate.clear()
    studies.start(plan_of(), "another browser")
    eventually(lambda: fake.turns)
    page = of_exchange(open_page)
    assert "Being measured now: More replicas." in said(page)
    assert not any(button.key == "exchange_start" for button in page.button)
    assert next(button for button in page.button if button.key == "scaling_cancel").disabled


def test_every_text_is_translated(open_page: OpenPage, studies: ScalingService) -> None:
    page = of_exchange(open_page, language=PSEUDO, hidden_depth="2", hidden_width="512")
    click(page, "exchange_start")
    assert studies.wait(LONG)
    again(page)
    for text in visible_texts(page):
        left = TERMS.sub("", BRACKETED.sub("", BRACKETED.sub("", text)))
        left = re.sub(r"%\{[^}]*\}|<[^>]*>|ms\b", "", left)
        assert not WORD.search(left), text
