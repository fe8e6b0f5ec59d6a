"""Who has shown the teacher's passphrase, and how often it may be tried."""

import hashlib
import hmac
import ipaddress
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from dpdash.core.errors import N_, DpdashError
from dpdash.web.rate_limit import Allowance, RateLimiter

CROWD: Final = 50
"""So many addresses may use up their tries together, and still not keep the teacher's out."""
A_BROWSER: Final = Allowance(at_once=5, seconds=15)
AN_ADDRESS: Final = Allowance(at_once=10, seconds=5)
ALL_TOGETHER: Final = AN_ADDRESS.shared_by(CROWD)
IPV6_HOME_PREFIX: Final = 64
"""The part of an IPv6 address that whoever guesses cannot choose."""
THIS_MACHINE: Final = "this machine"


class PassphraseError(DpdashError, PermissionError):
    """The passphrase was wrong, or was tried too often."""


class PassphraseGate:
    """Opens to a browser that shows the passphrase, until the server ends; safe for threads.

    A browser has few tries, its address some more, and everybody together so many that a crowd of guessers cannot
    lock the teacher out. Tries come back with time, so nobody is locked out for good. Memory is bounded by what
    everybody together may try.
    """

    def __init__(self, passphrase: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds and never jumps."""
        self._digest = _digest(passphrase)
        self._clock = clock
        self._lock = threading.Lock()
        self._by_browser = RateLimiter(A_BROWSER)
        self._by_address = RateLimiter(AN_ADDRESS)
        self._by_all = RateLimiter(ALL_TOGETHER)
        self._let_in: set[str] = set()

    def is_open_to(self, browser: str) -> bool:
        """Whether this browser has shown the passphrase."""
        return browser in self._let_in

    def show(self, passphrase: str, browser: str, address: str | None) -> None:
        """Let a browser in if the passphrase is the right one; an address of None is the server's own machine.

        Raises:
            PassphraseError: when it is wrong, or when there are no tries left, right or not.
        """
        tries = ((self._by_browser, browser), (self._by_address, _network(address)), (self._by_all, ""))
        with self._lock:
            now = self._clock()
            seconds = max(kind.seconds_to_wait(name, now) for kind, name in tries)
            if seconds > 0:
                raise PassphraseError(
                    N_("There were too many wrong passphrases. Wait {seconds} seconds and try again."),
                    seconds=math.ceil(seconds),
                )
            # Every digest has the same length, so the time tells nothing about how much of it was right.
            if hmac.compare_digest(_digest(passphrase), self._digest):
                self._let_in.add(browser)
                return
            for kind, name in tries:
                kind.take(name, now)
        raise PassphraseError(N_("This is not the passphrase. It was chosen where the server was started."))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _network(address: str | None) -> str:
    """What counts as one address."""
    if address is None:
        return THIS_MACHINE
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, IPV6_HOME_PREFIX), strict=False))
    return str(ip)
