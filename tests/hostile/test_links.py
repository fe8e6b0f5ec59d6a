"""Links that no page has written, opened on the real server."""

import random
import urllib.request
from typing import Final
from urllib.parse import quote

import pytest

from dpdash.core.config import FIELD_NAMES, RunConfig
from tests.e2e.server import Server
from tests.hostile.conftest import MAX_EPOCHS, MAX_SAMPLES
from tests.hostile.links import SEED, hostile_link, open_hostile_links
from tests.hostile.page import alerts, failures, settings
from tests.loops import in_a_loop_of_its_own
from tests.raw_client import RawPage

NUM_OPENED: Final = 150
NUM_FETCHED: Final = 100
CHOICES: Final = ", ".join(FIELD_NAMES)
LINKS: Final = {
    "samples=1e12": ["Samples must be a whole number. Received: 1e12. Try 10,000."],
    "samples=20000": ["Samples must be at most 10,000 on this server. Received: 20,000. Try 10,000."],
    "learning_rate=nan": ["Learning rate must be a number. Received: nan. Try 0.01."],
    "epochs=-1": ["Epochs must be at least 1. Received: -1. Try 500."],
    "replicas=99": ["Replicas must be at most 64. Received: 99. Try 1."],
    "run=../../etc/passwd": [
        "There is no run ../../etc/passwd here, perhaps because it was never saved. Press Start for a new one."
    ],
    "epochs=7&epochs=8": ["Epochs stands in the link 2 times. The last one is used."],
    "run=a&run=b": [
        "run stands in the link 2 times. The last one is used.",
        "There is no run b here, perhaps because it was never saved. Press Start for a new one.",
    ],
    "smaples=5": [f"There is no setting called smaples. The settings are: {CHOICES}."],
    "x" * 10_000: [f"There is no setting called {'x' * 39}…. The settings are: {CHOICES}."],
    "samples=" + "9" * 10_000: [f"Samples must be a whole number. Received: {'9' * 39}…. Try 10,000."],
    "noise=%F0%9F%A6%84": ["Noise must be a number. Received: 🦄. Try 0.5."],
    "%F0%9F%A6%84": [f"There is no setting called 🦄. The settings are: {CHOICES}."],
    "&".join(f"p{number}=x" for number in range(1_499)): [
        "A link can have at most 1,000 parameters. Received: 1,500. Try it with settings alone."
    ],
}


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link[:20])
def test_a_wrong_link_gets_its_sentence_and_the_rest_of_it_applies(link: str, server: Server) -> None:
    async def open_it() -> None:
        async with RawPage.opened(server.url, f"{link}&seed=77") as page:
            messages = await page.run()
            assert alerts(messages) == LINKS[link]
            assert failures(messages) == []
            assert settings(page.query).seed == 77

    in_a_loop_of_its_own(open_it())


def test_hostile_links(server: Server) -> None:
    """`make soak` opens a thousand."""
    in_a_loop_of_its_own(
        open_hostile_links(server.url, NUM_OPENED, RunConfig(samples=MAX_SAMPLES, epochs=MAX_EPOCHS))
    )


def test_a_hundred_hostile_links_fetched_as_pages(server: Server) -> None:
    dice = random.Random(SEED)
    for _ in range(NUM_FETCHED):
        get(server.url, hostile_link(dice))


def get(url: str, link: str) -> None:
    """Fetch a link as a browser fetches a page."""
    request = f"{url}/?{quote(link, safe='&=%')}"
    with urllib.request.urlopen(request) as response:
        assert response.status == 200
        assert b"<title>" in response.read()
