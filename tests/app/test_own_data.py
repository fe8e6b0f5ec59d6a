"""Own data on the page: brought, trained, compared with the least-squares line, and left again."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.own_data import OwnData, OwnDataError, Table
from dpdash.core.translations import LANGUAGES, language
from dpdash.runs.service import Pace, RunService
from dpdash.ui.parts.own_data import BOX_KEY
from dpdash.ui.session.state import SETTINGS_KEY
from dpdash.web.transfers import DATA_PATH
from tests.app.conftest import OpenPage, put
from tests.app.driving import again, click, control, go
from tests.app.visible import visible_texts

ME = "a browser"
X = np.linspace(100, 200, 80)
TABLE = Table(X, 1500 + 12.5 * X + np.sin(np.arange(80.0)))
PAGES = [f"../pages/{name}.py" for name in ("parallelism", "scaling", "sweep", "runs")]


def with_own_data(page: AppTest, service: RunService) -> AppTest:
    """The page once a file was taken: what the form's answer does is a callback, which AppTest cannot give."""
    service.own_tables.take(TABLE)
    state = page.session_state
    state[SETTINGS_KEY] = state[SETTINGS_KEY].on(TABLE.reference("prices.csv", is_standardised=True))
    return again(page)


@pytest.mark.parametrize("code", LANGUAGES)
def test_own_data_are_shown_with_what_cannot_be_set_and_no_true_line(
    open_page: OpenPage, service: RunService, code: str
) -> None:
    page = with_own_data(open_page(code, epochs="50"), service)
    words = language(code)
    assert page.select_slider(key="samples-1").disabled
    assert page.select_slider(key="samples-1").value == 80
    assert all(control(page.select_slider, name).disabled for name in ("samples", "noise"))
    shown = "\n".join(visible_texts(page))
    assert "prices.csv" in shown
    assert "y = 3x + " not in shown
    assert words.text("true line y = 3x") not in shown
    assert words.text("least squares {value} ± {error}").split("{")[0] in shown
    put(page, "pace", "max")
    click(page, "transport_start")
    run_id = page.session_state["run"]
    assert service.runs.wait(run_id, 30)
    again(page)
    line = service.runs.snapshot(run_id).history.line
    assert line is not None


def test_every_page_opens_with_own_data(open_page: OpenPage, service: RunService) -> None:
    page = with_own_data(open_page(), service)
    for script in PAGES:
        go(page, script)
    assert "y = 3x" in "\n".join(visible_texts(go(page, PAGES[1]))), "a study says what it measures with"


def test_the_way_back(open_page: OpenPage, service: RunService) -> None:
    page = with_own_data(open_page(), service)
    click(page, "own_data_away")
    assert page.session_state[SETTINGS_KEY].data is None
    assert not control(page.select_slider, "samples").disabled


def test_the_address_and_what_is_shared_name_nothing_of_them(open_page: OpenPage, service: RunService) -> None:
    page = with_own_data(open_page(), service)
    assert TABLE.digest not in str(page.query_params) and "prices" not in str(page.query_params)
    assert any("Own data are in no link" in text for text in visible_texts(page))


def test_data_that_are_gone_are_said_to_be_and_left(open_page: OpenPage, service: RunService) -> None:
    page = open_page()
    state = page.session_state
    gone = OwnData(digest="0" * 64, name="gone.csv", rows=7)
    state[SETTINGS_KEY] = state[SETTINGS_KEY].on(gone)
    again(page)
    assert page.session_state[SETTINGS_KEY].data is None
    assert any("is not on this server any more" in text for text in visible_texts(page))
    with pytest.raises(OwnDataError):
        service.start(RunConfig().on(gone), ME, Pace.full_speed())


def test_a_link_cannot_bring_own_data(open_page: OpenPage) -> None:
    page = open_page(data="0" * 64)
    assert page.session_state[SETTINGS_KEY].data is None
    assert any("A link cannot bring own data" in text for text in visible_texts(page))


def test_the_form_is_there_once_it_is_opened_and_is_this_browsers_own(open_page: OpenPage) -> None:
    def forms(owner: str) -> list[str]:
        page = open_page(owner=owner)
        closed = [node for node in page.get("bidi_component") if DATA_PATH in node.proto.json]
        assert not closed
        page.session_state[BOX_KEY] = True
        return [node.proto.json for node in again(page).get("bidi_component") if DATA_PATH in node.proto.json]

    (mine,), (yours,) = forms("a browser"), forms("another browser")
    assert json.loads(mine)["address"].startswith(f".{DATA_PATH}?language=en&ticket=")
    assert json.loads(mine)["address"] != json.loads(yours)["address"]
