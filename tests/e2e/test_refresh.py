"""What a page's timer brings over the websocket, each time and to each page that is open."""

import asyncio
from collections.abc import Iterable
from typing import Final

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.e2e.server import Server
from tests.hostile.page import elements
from tests.loops import in_a_loop_of_its_own
from tests.raw_client import ANSWER_SECONDS, RawPage, new_cookie

LONG: Final = "samples=1000&epochs=100000&engine=single&replicas=1"
MAX_DRAWN: Final = 12
"""Nine things change: the feed, the progress, four numbers, a verdict with its button, the look back. They stand
in three places, each of which costs a message more. Streamlit adds four of its own, whatever is drawn."""
MAX_DRAWN_WITH_TABLE: Final = MAX_DRAWN + 3
"""The table, the line under it, and the place of both."""
DRAWING: Final = ("delta", "ref_hash")
"""What puts something on a page. A base that the page has kept from before would come as a `ref_hash`."""


@pytest.mark.parametrize(
    ("look", "most"), [("Loss surface", MAX_DRAWN), ("Slope", MAX_DRAWN), ("Table", MAX_DRAWN_WITH_TABLE)]
)
def test_a_refresh_brings_what_changes_and_no_chart(server: Server, look: str, most: int) -> None:
    async def watch() -> tuple[list[ForwardMsg], list[ForwardMsg]]:
        async with RawPage.opened(server.url, LONG, new_cookie(server.url)) as page:
            whole = await page.run()
            page.set("view", look)
            page.set("pace", "Slow motion")
            await page.click("transport_start")
            refresh = await next_refresh(page)
            await page.click("transport_stop")
            return whole, refresh

    whole, refresh = in_a_loop_of_its_own(watch())
    assert sorted(components(whole)) == ["dpdash_chart_1", "dpdash_chart_2", "dpdash_feed"]
    assert components(refresh) == ["dpdash_feed"]
    assert sum(message.WhichOneof("type") in DRAWING for message in refresh) <= most


async def next_refresh(page: RawPage) -> list[ForwardMsg]:
    """The answer to the timer; one that finds the rest of the page outdated has the whole page drawn instead."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            while page.timer is None:
                await page.run()
            answer = await page.refresh()
            if answer[-1].script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
                return answer


def components(messages: Iterable[ForwardMsg]) -> list[str]:
    """The kinds of components that the messages draw."""
    drawn = [element.bidi_component.component_name for element in elements(messages)]
    return [name for name in drawn if name]
