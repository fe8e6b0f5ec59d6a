"""The processes that train for a server: they end with it, and one that is killed takes nobody else along."""

import asyncio
import signal
import time
from pathlib import Path

import psutil
import pytest

from dpdash.core.events import RunStatus
from dpdash.store.store import RunStore
from dpdash.training.processes.handle import PROCESS_GONE
from tests.e2e.server import Server, running_server
from tests.fakes import eventually
from tests.faults.witness import ten_runs
from tests.loops import in_a_loop_of_its_own
from tests.raw_client import RawPage, new_cookie, texts

END_SECONDS = 5


def processes_of(server: Server) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children(recursive=True)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_they_end_with_the_server(tmp_path: Path, number: signal.Signals) -> None:
    with ten_runs(tmp_path) as (server, _witness):
        processes = processes_of(server)
        assert processes
        server.process.send_signal(number)
        server.process.wait(END_SECONDS)
        _gone, alive = psutil.wait_procs(processes, END_SECONDS)
        assert not alive


@pytest.mark.long
def test_one_that_is_killed_fails_its_run_and_the_next_run_trains(tmp_path: Path) -> None:
    with running_server(tmp_path, {"DPDASH_TRAINING_PROCESSES": "1"}) as server:
        in_a_loop_of_its_own(_kill_and_start_again(server))
        store = RunStore(f"sqlite:///{server.database}")
        eventually(lambda: {record.status for record in store.runs()} == {RunStatus.FAILED, RunStatus.FINISHED})
        store.close()
        assert "Traceback" not in server.log.read_text()


async def _kill_and_start_again(server: Server) -> None:
    query = "samples=20&epochs=1000000&engine=single&replicas=1"
    async with RawPage.opened(server.url, query, new_cookie(server.url)) as page:
        await page.run()
        page.set("pace", "Max")
        await page.click("transport_start")
        [process] = processes_of(server)
        process.kill()
        said = await _until(page, "The process that trained this run ended")
        assert PROCESS_GONE.split(";")[0] in said.replace("\\\\", "")
    async with RawPage.opened(server.url, query.replace("1000000", "50"), new_cookie(server.url)) as page:
        await page.run()
        await page.click("transport_start")


async def _until(page: RawPage, words: str) -> str:
    """Look at the page anew until it says this."""
    deadline = time.monotonic() + 30
    while words not in (said := texts(await page.run())):
        assert time.monotonic() < deadline, f"the page never said: {words}"
        await asyncio.sleep(0.1)
    return said
