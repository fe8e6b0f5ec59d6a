"""A workshop's server over the network: whose runs a browser sees and steers, and who may delete them."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dpdash.core import network
from dpdash.store.store import RunStore
from tests.e2e.browser import WAIT_MS, address, button, wait_for_status, wait_until_drawn
from tests.e2e.lesson import PASSPHRASE, enter
from tests.e2e.server import LEAN, Server, running_server
from tests.e2e.test_runs import key, press, select, settle, turn
from tests.fakes import eventually

ADDRESSES = network.reachable(network.interfaces(), network.default_address())
pytestmark = pytest.mark.skipif(not ADDRESSES, reason="needs an address of this machine that is not loopback's")
SHORT = "?samples=500&epochs=20&engine=single&replicas=1"
LONG = "?samples=500&epochs=100000&engine=single&replicas=1"


class Visit:
    """People who come over the network, each with a browser of their own."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser, self._url = browser, url
        self.contexts: list[BrowserContext] = []

    def __call__(self, query: str = "") -> Page:
        context = self._browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US")
        context.set_default_timeout(WAIT_MS)
        self.contexts.append(context)
        page = context.new_page()
        page.goto(f"{self._url}/{query}")
        return page


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Listens everywhere, as `serve` does."""
    environment = {
        **LEAN,
        "STREAMLIT_SERVER_ADDRESS": network.EVERYWHERE[0],
        "DPDASH_TEACHER_PASSPHRASE": PASSPHRASE,
    }
    with running_server(tmp_path_factory.mktemp("workshop"), environment) as server:
        yield server


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    visit = Visit(browser, f"http://{ADDRESSES[0]}:{urlsplit(server.url).port}")
    yield visit
    for context in visit.contexts:
        context.close()


def runs_of(page: Page) -> None:
    """Turn to the list of runs."""
    turn(page)
    key(page, "text").wait_for()
    settle(page)


def record_is(server: Server, run_id: str, *, deleted: bool, pinned: bool) -> bool:
    with closing(RunStore(f"sqlite:///{server.database}")) as store:
        found = store.run(run_id)
        return found is not None and ((found.deleted_at is not None), found.is_pinned) == (deleted, pinned)


def test_only_whoever_made_a_run_or_the_teacher_sees_it_and_may_delete_it(visit: Visit, server: Server) -> None:
    ann = visit(SHORT)
    wait_until_drawn(ann)
    button(ann, "start").click()
    wait_for_status(ann, "finished")
    run_id = parse_qs(urlsplit(address(ann)).query)["run"][0]

    bob = visit(f"?run={run_id}")
    wait_until_drawn(bob)
    bob.get_by_text("You are watching a run of another browser.").wait_for()
    assert button(bob, "resume").count() == 0 and button(bob, "stop").is_disabled()
    runs_of(bob)
    bob.get_by_text("Here are the runs that this browser has started.").wait_for()
    bob.get_by_text("No run is like that.").wait_for()
    assert bob.get_by_role("radio", name="All").count() == 0

    runs_of(ann)
    expect(key(ann, "stretches")).to_contain_text("1 to 1 of 1 runs")
    assert ann.get_by_role("radio", name="All").count() == 0, "nobody but the teacher sees all"
    select(ann, 0)
    press(ann, "pin")
    eventually(lambda: record_is(server, run_id, deleted=False, pinned=True))

    teacher = visit("room")
    enter(teacher, PASSPHRASE)
    teacher.get_by_text("Pages open").wait_for()
    runs_of(teacher)
    teacher.get_by_text("No run is like that.").wait_for()
    assert teacher.get_by_role("radio", name="Mine").is_checked()
    teacher.get_by_role("radio", name="All").click()
    expect(key(teacher, "stretches")).to_contain_text("1 to 1 of 1 runs")
    settle(teacher)
    select(teacher, 0)
    press(teacher, "delete")
    expect(key(teacher, "gone")).to_contain_text("Runs deleted: 1.")
    eventually(lambda: record_is(server, run_id, deleted=True, pinned=True))


@pytest.mark.long
def test_the_keys_of_another_browser_do_not_reach_a_run(visit: Visit) -> None:
    ann = visit(LONG)
    wait_until_drawn(ann)
    button(ann, "start").click()
    wait_for_status(ann, "running")
    bob = visit(f"?{urlsplit(address(ann)).query}")
    wait_until_drawn(bob)
    wait_for_status(bob, "running")
    for chord in ("Control+Shift+X", "Control+Space", "Control+Backspace"):
        bob.keyboard.press(chord)
    wait_for_status(bob, "ready")
    assert ann.locator(".dpdash-status").inner_text().startswith("running")
    assert bob.get_by_text("Your last run").count() == 0
    button(ann, "stop").click()
    wait_for_status(ann, "stopped at epoch")
