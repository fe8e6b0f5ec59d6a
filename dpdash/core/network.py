"""The addresses of this machine, and which of them another machine in the room can open."""

import errno
import ipaddress
import re
import socket
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import psutil

from dpdash.core.errors import DpdashError

HOST_RULE: Final = "A host goes by a whole name or an address, such as lab.example.org, without a * in it"
HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*")
ORIGIN_RULE: Final = "A site goes by its origin, such as https://lab.example.org, without a * in it"
ORIGIN: Final = re.compile(r"(https?)://(?:[^\s/?#:;,'*\[\]]+|\[[0-9a-f:.]+\])(:\d{1,5})?/?$", re.IGNORECASE)
EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 (a workshop's server is for others on purpose)
LOOPBACK: Final = "127.0.0.1"
VIRTUAL: Final = re.compile(
    r"docker|br-|bridge|veth|virbr|vmnet|vboxnet|vnic|tun|tap|utun|wg|tailscale|zt|lxc|lxd|podman|cni|flannel|cali"
    r"|vethernet|hyper-v|wsl|npcap|loopback|llw|awdl|anpi|ppp|ipsec",
    re.IGNORECASE,
)
"""Interfaces that lead into this machine or far away, and not into the room."""
SOMEWHERE_ELSE: Final = ("192.0.2.1", 9)
"""An address for documentation (RFC 5737): asking for the way there sends nothing."""


def host_in(text: str) -> str:
    """The host's name or address in what a person writes for it: in an address with scheme, port and path as well.

    Raises:
        DpdashError: if it is no host's name.
    """
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
        # As browsers send it: letters beyond ASCII are written in ASCII (RFC 3490).
        name = host if ":" in host else host.encode("idna").decode().rstrip(".")
    except (UnicodeError, ValueError):
        name = ""
    if not HOST_NAME.fullmatch(name):
        raise DpdashError(f"{HOST_RULE}. Received: {{received}}.", received=text)
    return name


def origin_in(text: str) -> str:
    """The origin in what a person writes for a site, as browsers compare it.

    Raises:
        DpdashError: if it names no site.
    """
    site = ORIGIN.match(text)
    if site is None:
        raise DpdashError(f"{ORIGIN_RULE}. Received: {{received}}.", received=text)
    host = host_in(text)
    return f"{site[1].lower()}://{f'[{host}]' if ':' in host else host}{site[2] or ''}"


@dataclass(frozen=True, slots=True)
class Interface:
    """One IPv4 address of this machine, and the name of the interface that has it."""

    name: str
    address: str


def interfaces() -> tuple[Interface, ...]:
    """The interfaces that are up."""
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    return tuple(
        Interface(name, address.address)
        for name, addresses in psutil.net_if_addrs().items()
        if name in up
        for address in addresses
        if address.family is socket.AF_INET
    )


def default_address() -> str | None:
    """The address from which this machine goes to other networks; None when it goes nowhere."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(SOMEWHERE_ELSE)
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def reachable(found: Iterable[Interface], default: str | None) -> tuple[str, ...]:
    """The addresses that others in the room may reach, the likeliest first.

    Before all else an interface must lead into the room: the way to the internet may go through a tunnel. Among
    those that do, the one towards the internet is the one that phones share.
    """

    def unlikeliness(interface: Interface) -> tuple[bool, bool, bool]:
        address = ipaddress.IPv4Address(interface.address)
        return bool(VIRTUAL.match(interface.name)), interface.address != default, not address.is_private

    seen = sorted((one for one in found if not _is_only_here(one.address)), key=unlikeliness)
    return tuple(dict.fromkeys(one.address for one in seen))


def _is_only_here(text: str) -> bool:
    address = ipaddress.IPv4Address(text)
    return address.is_loopback or address.is_link_local or address.is_unspecified


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen there.

    Raises:
        PermissionError: when this user may not listen on such a port.
        OSError: when this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        # As the server does it: what an earlier one has left behind is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def is_address(name: str) -> bool:
    """Whether this is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether this address or name is this machine's, seen from itself."""
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
