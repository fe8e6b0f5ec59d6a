"""Addresses that only the browser can use that a page has made them for.

What a page may show to a browser, that browser may also take home. So the page decides, when it makes the address;
the route needs no rules of its own, and an address that somebody else gets hold of leads nowhere.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Final

OWNER_COOKIE: Final = "dpdash_browser"
"""Names the browser; the runs that it starts are its own."""
_SECRET: Final = secrets.token_bytes(32)
"""Addresses end with the process that made them; a page makes new ones each time that it is drawn."""


def owner_of(cookie: str) -> str:
    """Who a browser is, from its cookie: a digest, so that the secret itself is stored nowhere."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def ticket(owner: str, *purpose: str) -> str:
    """What shows that a page of this process made an address for this browser and purpose."""
    message = json.dumps([owner, *purpose]).encode()
    return hmac.new(_SECRET, message, hashlib.sha256).hexdigest()


def is_valid(shown: str, owner: str, purpose: Sequence[str]) -> bool:
    """Whether a ticket is for this browser and purpose; the time that it takes tells nothing."""
    return hmac.compare_digest(shown.encode(), ticket(owner, *purpose).encode())
