"""*Show the code* and the guide, without a browser."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from dpdash.core.config import RunConfig
from dpdash.core.translations import LANGUAGES
from dpdash.files.script import ScriptName, command, script
from dpdash.runs.service import Pace, RunService
from dpdash.ui.guide.page import document_path
from dpdash.ui.train.code import CODE_KEY
from tests.app.conftest import OpenPage, put
from tests.app.test_runs import SHORT, with_moved_rate

GUIDE_PAGE = "../pages/how_it_works.py"
SETTINGS = {"samples": "73", "noise": "1.5", "seed": "4", "engine": "cpu_replicas", "replicas": "3"}
CONFIG = RunConfig.parse(SETTINGS)


def opened(page: AppTest) -> AppTest:
    """The page with the code open; AppTest cannot click a popover, so its state is set."""
    page.session_state[CODE_KEY] = True
    page.run()
    assert not page.exception
    return page


def codes(page: AppTest) -> set[str]:
    return {code.value for code in page.code}


def scripts(config: RunConfig) -> set[str]:
    return {script(name, config).strip() for name in ScriptName}


def test_nothing_of_the_code_is_sent_before_it_is_opened(open_page: OpenPage) -> None:
    page = open_page(**SETTINGS)
    assert not any("import torch" in code for code in codes(page))


def test_the_code_has_the_settings_of_the_sidebar(open_page: OpenPage) -> None:
    page = opened(open_page(**SETTINGS))
    assert scripts(CONFIG) <= codes(page)
    assert {command(name, CONFIG) for name in ScriptName} <= codes(page)
    put(page, "noise", 2.0)
    page.run()
    assert scripts(CONFIG.model_copy(update={"noise": 2.0})) <= codes(page)


def test_the_code_has_the_settings_of_the_run_that_is_shown(open_page: OpenPage, service: RunService) -> None:
    run_id = service.start(RunConfig(samples=50, epochs=5), "another browser", Pace.full_speed())
    page = opened(open_page(**SETTINGS, run=run_id))
    assert scripts(RunConfig(samples=50, epochs=5)) <= codes(page)


@pytest.mark.parametrize(("engine", "opened_tab"), [("cpu_replicas", 0), ("ddp", 1)])
def test_the_code_opens_on_the_engine_that_is_set(engine: str, opened_tab: int, open_page: OpenPage) -> None:
    page = opened(open_page(**SETTINGS | {"engine": engine}))
    [tabs] = [
        block for block in page.get("tab_container") if getattr(block.children[0], "label", "") == "DataParallel"
    ]
    assert tabs.proto.tab_container.default_tab_index == opened_tab


def test_the_code_has_the_moves_of_the_learning_rate(open_page: OpenPage, service: RunService) -> None:
    run_id = with_moved_rate(service)
    page = opened(open_page(run=run_id))
    history = service.runs.snapshot(run_id).history
    assert [change.epoch for change in history.learning_rate_changes] == [4]
    for name in ScriptName:
        assert script(name, SHORT, changes=history.learning_rate_changes).strip() in codes(page)


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_guide_is_a_page_in_the_language_of_the_reader(code: str, open_page: OpenPage) -> None:
    page = open_page(code)
    page.switch_page(GUIDE_PAGE).run()
    assert not page.exception
    document = document_path(code).read_text()
    shown = "\n".join(block.value for block in page.markdown)
    assert re.findall(r"^## .*$", shown, re.MULTILINE) == re.findall(r"^## .*$", document, re.MULTILINE)
    assert "<!--" not in shown
    assert "](images/" not in shown
    assert len(page.get("image")) == document.count("](images/")


def test_the_help_of_the_replicas_leads_to_the_guide(open_page: OpenPage) -> None:
    page = open_page(**SETTINGS)
    assert "(how_it_works)" in page.slider(key="replicas").help
