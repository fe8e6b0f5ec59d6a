"""Serve the dashboard to a room full of phones: `python -m dpdash serve`."""

import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, NoReturn

import segno
import typer

from dpdash.cli.terminal import option
from dpdash.core import network
from dpdash.core.errors import DpdashError
from dpdash.core.places import APP
from dpdash.core.settings import SHORTEST_PASSPHRASE, ServerSettings, read_settings, variable

if sys.platform != "win32":
    import resource

USUAL_PORT: Final = 8501
HIGHEST_PORT: Final = 65_535
WORKSHOP: Final = {"max_runs_per_browser": 2, "max_samples": 100_000, "max_epochs": 100_000}
"""What a learner may do unless the teacher says otherwise; the README says why."""
CONSONANTS: Final = "bdfghjklmnprstvz"
VOWELS: Final = "aiou"
NUM_WORDS: Final = 3
"""48 bits: more than anyone can try at the rate at which the Room page takes passphrases."""
OPEN_FILES: Final = 65_536
"""A phone opens a handful of connections, and some systems allow a process no more than 256."""
BAD_ARGUMENTS: Final = 2
BORDER: Final = 2
BLACK, WHITE = 16, 231


def _option(name: str) -> Any:
    field = ServerSettings.model_fields[name]
    value = WORKSHOP.get(name, field.default)
    return option(name, ServerSettings, usual=f"{value:,}" if isinstance(value, int) else "")


def serve(
    address: Annotated[
        str, typer.Option(metavar="<address>", help="Listen on this address only.")
    ] = network.EVERYWHERE[0],
    port: Annotated[int, typer.Option(min=1, max=HIGHEST_PORT, help="Listen on this port.")] = USUAL_PORT,
    shown_address: Annotated[
        str | None,
        typer.Option(
            metavar="<name>", help="Print this name or address for the phones, not the one that is found."
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<name>",
            help="A name that the server goes by besides its own and its addresses; may be repeated.",
        ),
    ] = None,
    full_speed_slots: Annotated[str | None, _option("full_speed_slots")] = None,
    paced_slots: Annotated[str | None, _option("paced_slots")] = None,
    max_runs_per_browser: Annotated[str | None, _option("max_runs_per_browser")] = None,
    max_samples: Annotated[str | None, _option("max_samples")] = None,
    max_epochs: Annotated[str | None, _option("max_epochs")] = None,
    max_pages: Annotated[str | None, _option("max_pages")] = None,
    database_url: Annotated[str | None, _option("database_url")] = None,
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Ask for the teacher's passphrase.")] = False,
    qr: Annotated[bool | None, typer.Option(help="Print a QR code; when not set, on a terminal only.")] = None,
) -> None:
    """Serve everybody on this network, and print the address for their phones."""
    options = {
        name: value
        for name, value in locals().items()
        if name in ServerSettings.model_fields and value is not None
    }
    try:
        shown = None if shown_address is None else network.host_in(shown_address)
        place = find_place(address, port, shown)
        hosts = [*(allowed_host or ()), *([] if shown is None else [shown])]
        given = _workshop_where_not_set() | options | ({"allowed_hosts": ",".join(hosts)} if hosts else {})
        settings = read_settings(given)
        chosen = _ask_passphrase() if passphrase else None
    except DpdashError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_ARGUMENTS) from None
    made = None
    if chosen is None and settings.teacher_passphrase is None:
        chosen = made = new_passphrase()
    if chosen is not None:
        given["teacher_passphrase"] = chosen
    _announce(place, made, sys.stdout.isatty() if qr is None else qr)
    _become_server(place, {variable(name): value for name, value in given.items()})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server listens, and how it is reached."""

    address: str
    port: int
    host: str
    other_hosts: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """What a phone opens."""
        return self.url_of(self.host)

    @property
    def is_only_here(self) -> bool:
        """Whether no other machine can reach it."""
        return network.is_loopback(self.host)

    def url_of(self, host: str) -> str:
        """The server's address under another name."""
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def find_place(address: str, port: int, shown: str | None = None) -> Place:
    """Where to listen; a port that is in use would have the server start elsewhere than it says, or not at all."""
    hosts = network.reachable(network.interfaces(), network.default_address())
    try:
        if not network.is_free(address, port):
            raise DpdashError(
                "The port must be free. Received: {port}. Try --port {other}.",
                port=port,
                other=_free_port(address, range(port + 1, HIGHEST_PORT + 1)),
            )
    except PermissionError:
        raise DpdashError(
            "The port must be one that you may use. Received: {port}. Try --port {other}.",
            port=port,
            other=USUAL_PORT,
        ) from None
    except OSError:
        raise DpdashError(
            "The address must be one of this machine's. Received: {address}. Try --address {other}.",
            address=address,
            other=hosts[0] if hosts else network.LOOPBACK,
        ) from None
    if address not in network.EVERYWHERE:
        return Place(address, port, shown or address)
    found = hosts or (network.LOOPBACK,)
    if shown is not None:
        return Place(address, port, shown, tuple(host for host in found if host != shown))
    return Place(address, port, found[0], found[1:])


def _free_port(address: str, ports: Iterable[int]) -> int:
    return next((port for port in ports if network.is_free(address, port)), USUAL_PORT)


def _workshop_where_not_set() -> dict[str, str]:
    known = {name.upper() for name in os.environ}
    return {name: str(value) for name, value in WORKSHOP.items() if variable(name) not in known}


def _ask_passphrase() -> str:
    """From the terminal, where nothing repeats it: the arguments of a process can be read by everybody."""
    text: str = typer.prompt("Passphrase for the teacher", hide_input=True, confirmation_prompt=True, err=True)
    if len(text) < SHORTEST_PASSPHRASE:
        raise DpdashError(
            "The passphrase must have at least {least} characters. Received: {number} of them. Try three words.",
            least=SHORTEST_PASSPHRASE,
            number=len(text),
        )
    return text


def new_passphrase() -> str:
    """A random one that can be said aloud: three proquints, such as lusab-gutih-tugad."""
    letters = (CONSONANTS, VOWELS, CONSONANTS, VOWELS, CONSONANTS)
    return "-".join("".join(secrets.choice(kind) for kind in letters) for _ in range(NUM_WORDS))


def _announce(place: Place, made: str | None, with_qr: bool) -> None:
    whom = "this machine only" if place.is_only_here else "everybody on this network"
    typer.echo(f"dpdash is served to {whom}, in a few seconds, at\n\n    {place.url}\n")
    if with_qr:
        # Its colours are the code: without them half of all terminals would show it inverted.
        typer.echo(qr_code(place.url), color=True)
    typer.echo(f"For the teacher: {place.url}/room")
    typer.echo("Passphrase: the one that you have set" if made is None else f"Passphrase: {made}")
    if place.other_hosts:
        typer.echo(f"If a phone cannot open it, try {', '.join(map(place.url_of, place.other_hosts))}")
    if place.is_only_here and place.address in network.EVERYWHERE:
        typer.echo("This machine is on no network, so no phone can reach it.")
    typer.echo("Ctrl+C ends it.")
    sys.stdout.flush()


def qr_code(text: str) -> str:
    """A QR code for a terminal, in black on white whatever the terminal's colours are; two modules a character."""
    rows = [bytes(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=BORDER)]
    rows += [bytes(len(rows[0]))] * (len(rows) % 2)
    lines = (
        "".join(
            f"\x1b[38;5;{BLACK if above else WHITE};48;5;{BLACK if below else WHITE}m▀"
            for above, below in zip(upper, lower, strict=True)
        )
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
    return "".join(f"{line}\x1b[0m\n" for line in lines)


def become_dashboard() -> NoReturn:
    """Go on as the dashboard of this machine alone, which opens the browser."""
    _become_streamlit({}, {})


def _become_server(place: Place, variables: Mapping[str, str]) -> NoReturn:
    _allow_many_connections()
    options = {
        "server.address": place.address,
        "server.port": str(place.port),
        "server.headless": "true",
        # Streamlit would ask a server on the internet for this machine's address there, to print it.
        "logger.hideWelcomeMessage": "true",
    }
    _become_streamlit(options, variables)


def _become_streamlit(options: Mapping[str, str], variables: Mapping[str, str]) -> NoReturn:
    """Go on as the server, in the same process: a signal to the command reaches it."""
    command = [sys.executable, "-m", "streamlit", "run", str(APP)]
    os.execve(  # noqa: S606 (no shell is wanted)
        sys.executable,
        [*command, *(f"--{name}={value}" for name, value in options.items())],
        {**os.environ, **variables},
    )


def _allow_many_connections() -> None:
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return  # some systems have a lower limit that they do not tell; then fewer phones can come
