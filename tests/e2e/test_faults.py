"""What a page says while something is wrong: with its run, or with the database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import loss_points, wait_for_points, wait_for_status, wait_until_drawn
from tests.e2e.server import Server, stop_server
from tests.fakes import eventually
from tests.faults.witness import CALM, HANGING, HANGS, SEEDS, found, ten_runs

ANOTHER = 2
LOCKED = "is locked by another program"


@contextmanager
def watcher(browser: Browser, server: Server, seed: int) -> Iterator[Page]:
    """A page that watches the run with this seed."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US")
    with closing(sqlite3.connect(server.database)) as connection:
        find = "SELECT id FROM runs WHERE json_extract(config, '$.seed') = ?"
        eventually(lambda: connection.execute(find, (seed,)).fetchone())
        [run_id] = connection.execute(find, (seed,)).fetchone()
    page = context.new_page()
    page.goto(f"{server.url}/?run={run_id}")
    wait_until_drawn(page)
    yield page
    context.close()


@pytest.mark.long
def test_a_locked_database_and_a_run_that_hangs_are_told(browser: Browser, tmp_path: Path) -> None:
    with ten_runs(tmp_path, {HANGS: "1", CALM: "1"}) as (server, witness):
        with watcher(browser, server, HANGING) as page:
            wait_for_status(page, "stopping")
        with watcher(browser, server, ANOTHER) as page:
            wait_for_status(page, "running")
            expect(page.get_by_text(LOCKED)).to_have_count(0)
            with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                expect(page.get_by_text(LOCKED).first).to_be_visible()
                trained = {seed: witness.num_epochs(seed) for seed in SEEDS if seed != HANGING}
                wait_for_points(page, loss_points(page) + 1)
                eventually(lambda: all(witness.num_epochs(seed) > before for seed, before in trained.items()))
            expect(page.get_by_text(LOCKED)).to_have_count(0)
        stop_server(server)
    after = found(server.database, witness)
    assert after.mistakes == ()
    assert after.oldest_lost_seconds == 0
