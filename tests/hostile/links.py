"""Links that no page has written, drawn at random."""

import asyncio
import random
from typing import Final

from dpdash.core.config import RunConfig
from tests.hostile.page import alerts, failures, has_title, settings
from tests.raw_client import RawPage
from tests.strategies import HOSTILE_JUNK, HOSTILE_NAMES, HOSTILE_TEXTS

SEED: Final = 20_260_101
NUM_AT_ONCE: Final = 8
MOST_PARAMETERS: Final = 12
FEW_ALERTS: Final = 8


def hostile_link(dice: random.Random) -> str:
    """A query string that no page has written: from one bad value to thousands of them."""
    parameters = (
        f"{dice.choice(HOSTILE_NAMES)}={dice.choice(HOSTILE_TEXTS)}"
        for _ in range(dice.randint(1, MOST_PARAMETERS))
    )
    junk = dice.choice(HOSTILE_JUNK) if dice.random() < 0.1 else ""
    return "&".join(parameters) + junk


async def open_hostile_links(url: str, number: int, most: RunConfig) -> None:
    """Open so many on a server whose limits are those of `most`.

    Raises:
        AssertionError: when a page fails, says more than a few sentences, or takes what the server does not allow.
    """
    dice = random.Random(SEED)
    links = [hostile_link(dice) for _ in range(number)]

    async def open_some(some: list[str]) -> None:
        for link in some:
            async with RawPage.opened(url, link) as page:
                messages = await page.run()
                assert has_title(messages), link
                assert failures(messages) == [], link
                assert len(alerts(messages)) <= FEW_ALERTS, link
                config = settings(page.query)
                assert config.samples <= most.samples, link
                assert config.epochs <= most.epochs, link

    await asyncio.gather(*(open_some(links[first::NUM_AT_ONCE]) for first in range(NUM_AT_ONCE)))
