"""Nothing that was set moves by itself, in whatever order and however incomplete a page's messages arrive."""

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from dpdash.runs.service import RunService
from dpdash.ui.session.inputs import VALUES_KEY
from dpdash.ui.session.state import SETTINGS_KEY
from tests.app.conftest import OpenPage

PAGES = ("train", "parallelism", "scaling", "sweep", "runs")
NUM_ORDERS = 12


def owned(page: AppTest) -> tuple[Any, Any]:
    return page.session_state[SETTINGS_KEY], dict(page.session_state[VALUES_KEY])


def said(page: AppTest) -> list[WidgetState]:
    """Where the page's widgets stand, as its browser says with each message: of a button only a click."""
    return [state for state in page._tree.get_widget_states().widgets if not state.HasField("trigger_value")]


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What happens to a session: the seed is typed, a page is opened, or a message comes that nobody has meant."""
    kinds = st.one_of(
        st.tuples(st.just("type"), st.integers(0, 10_000)),
        st.tuples(st.just("open"), st.sampled_from(PAGES)),
        st.tuples(st.sampled_from(["missing", "stale"]), st.integers(0, 10_000)),
    )
    return draw(st.lists(kinds, min_size=2, max_size=6))


@settings(max_examples=NUM_ORDERS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=steps())
def test_only_what_was_typed_has_changed(
    order: list[tuple[str, Any]], open_page: OpenPage, service: RunService
) -> None:
    page = open_page(language="pt_BR", samples="200", learning_rate="0.05", replicas="2", engine="cpu_replicas")
    expected, at, earlier = owned(page), "train", list[WidgetState]()
    for kind, value in order:
        chance = random.Random(value)
        if kind == "type" and at == "train":
            page.number_input(key="seed").set_value(value).run()
            # A browser says what was typed last, however late: its messages keep their order.
            earlier = [state for state in earlier if not state.id.endswith("-seed")]
            expected = expected[0].model_copy(update={"seed": value}), expected[1]
        elif kind == "open":
            earlier += said(page)
            page.switch_page(f"../pages/{value}.py").run()
            at = value
        elif kind == "missing":
            page._run(WidgetStates(widgets=[state for state in said(page) if chance.random() < 0.5]))
        elif kind == "stale":
            # Of pages that were left, and of widgets that were moved from the server meanwhile.
            ids = {state.id for state in said(page)}
            gone = [state for state in earlier if state.id not in ids and chance.random() < 0.5]
            page._run(WidgetStates(widgets=[*said(page), *gone]))
        assert not page.exception
        assert owned(page)[0] == expected[0]
        assert {name: owned(page)[1][name] for name in expected[1]} == expected[1]
