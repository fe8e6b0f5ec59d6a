"""What `serve` finds, makes and prints; the server itself is in `tests/e2e/test_serve.py`."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import segno
from streamlit import config as streamlit_config
from typer.testing import CliRunner

from dpdash.cli import app as cli
from dpdash.cli import serve
from dpdash.core import network
from dpdash.core.network import Interface, reachable
from dpdash.core.places import APP
from dpdash.core.settings import ServerSettings, read_settings

WIFI = Interface("wlan0", "192.168.1.5")
CABLE = Interface("enp3s0", "10.1.2.3")
TUNNEL = Interface("tun0", "10.8.0.2")
CONTAINERS = Interface("docker0", "172.17.0.1")
LOOPBACK = Interface("lo", "127.0.0.1")
WITHOUT_DHCP = Interface("eth9", "169.254.3.4")
PUBLIC = Interface("eth1", "203.0.113.7")
CELL = re.compile(r"\x1b\[38;5;(\d+);48;5;(\d+)m▀")


class TestAddresses:
    def test_the_way_to_the_internet_is_the_likeliest(self) -> None:
        assert reachable([CABLE, WIFI], WIFI.address) == (WIFI.address, CABLE.address)
        assert reachable([CABLE, WIFI], CABLE.address) == (CABLE.address, WIFI.address)

    def test_a_tunnel_does_not_lead_into_the_room(self) -> None:
        assert reachable([TUNNEL, CONTAINERS, WIFI], TUNNEL.address) == (
            WIFI.address,
            TUNNEL.address,
            CONTAINERS.address,
        )

    def test_private_addresses_come_first(self) -> None:
        assert reachable([Interface("eth1", "8.8.4.4"), WIFI], None)[0] == WIFI.address

    def test_what_leads_nowhere_is_left_out(self) -> None:
        assert reachable([LOOPBACK, WITHOUT_DHCP, WIFI, WIFI], None) == (WIFI.address,)
        assert reachable([LOOPBACK], None) == ()

    @pytest.mark.parametrize(
        "name", ["br-1a2b", "veth12", "utun3", "wg0", "vEthernet (WSL)", "tailscale0", "virbr0"]
    )
    def test_virtual_interfaces_come_last(self, name: str) -> None:
        assert reachable([Interface(name, "10.0.0.1"), WIFI], "10.0.0.1")[0] == WIFI.address

    @pytest.mark.parametrize("name", ["wlp2s0", "eth0", "en0", "Wi-Fi", "Ethernet", "eno1", "bond0"])
    def test_real_ones_do_not(self, name: str) -> None:
        assert reachable([Interface(name, "10.0.0.1"), WIFI], "10.0.0.1")[0] == "10.0.0.1"

    def test_this_machine_has_its_loopback(self) -> None:
        assert network.LOOPBACK in {interface.address for interface in network.interfaces()}


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def free_port(taken_port: int) -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
    return port


class TestPlace:
    @pytest.fixture(autouse=True)
    def _network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(network, "interfaces", lambda: (LOOPBACK, CONTAINERS, WIFI, CABLE))
        monkeypatch.setattr(network, "default_address", lambda: CABLE.address)

    def test_everywhere_shows_what_phones_can_reach(self, free_port: int) -> None:
        place = serve.find_place("0.0.0.0", free_port)
        assert place.url == f"http://{CABLE.address}:{free_port}"
        assert place.other_hosts == (WIFI.address, CONTAINERS.address)
        assert not place.is_only_here

    def test_what_is_shown_can_be_said(self, free_port: int) -> None:
        place = serve.find_place("0.0.0.0", free_port, "lab.example")
        assert place.url == f"http://lab.example:{free_port}"
        assert place.other_hosts == (CABLE.address, WIFI.address, CONTAINERS.address)

    @pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
    def test_one_address_is_the_one_that_is_shown(self, address: str, free_port: int) -> None:
        place = serve.find_place(address, free_port)
        assert place.url == f"http://{address}:{free_port}"
        assert place.is_only_here

    def test_without_a_network_this_machine_is_left(
        self, free_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(network, "interfaces", lambda: (LOOPBACK,))
        place = serve.find_place("0.0.0.0", free_port)
        assert place.url == f"http://127.0.0.1:{free_port}"
        assert place.is_only_here

    def test_ipv6_stands_in_brackets(self) -> None:
        assert serve.Place("::", 80, "fe80::1").url == "http://[fe80::1]:80"

    def test_a_port_in_use_is_one_sentence_with_a_free_one(self, taken_port: int) -> None:
        said = called("--address", "127.0.0.1", "--port", str(taken_port))
        assert said.exit_code == 2
        found = re.fullmatch(rf"The port must be free. Received: {taken_port}. Try --port (\d+).\n", said.stderr)
        assert found
        assert network.is_free("127.0.0.1", int(found[1]))

    def test_an_address_of_another_machine_is_one_sentence(self, free_port: int) -> None:
        said = called("--address", PUBLIC.address, "--port", str(free_port))
        assert said.exit_code == 2
        assert said.stderr == (
            f"The address must be one of this machine's. Received: {PUBLIC.address}. "
            f"Try --address {CABLE.address}.\n"
        )


def test_a_passphrase_can_be_said_and_not_be_guessed() -> None:
    made = {serve.new_passphrase() for _ in range(200)}
    assert len(made) == 200
    for passphrase in made:
        assert re.fullmatch(r"([a-z]{5})(-[a-z]{5}){2}", passphrase)
        ServerSettings(teacher_passphrase=passphrase)
    assert (len(set(serve.CONSONANTS)) ** 3 * len(set(serve.VOWELS)) ** 2) ** serve.NUM_WORDS >= 2**40


def test_a_qr_code_is_black_on_white_whatever_the_terminal_is() -> None:
    url = "http://192.168.100.100:65535"
    lines = serve.qr_code(url).splitlines()
    rows: list[list[bool]] = []
    for line in lines:
        assert line.endswith("\x1b[0m")
        cells = CELL.findall(line)
        rows.append([above == "16" for above, _ in cells])
        rows.append([below == "16" for _, below in cells])
    dark = [[bool(module) for module in row] for row in segno.make(url, error="m", micro=False).matrix]
    border = serve.BORDER
    assert [row[border:-border] for row in rows[border : border + len(dark)]] == dark
    assert not any(any(row) for row in (*rows[:border], *rows[border + len(dark) :]))
    assert max(len(row) for row in rows) < 80
    assert len(lines) < 24


# The command up to the moment at which it becomes the server.


@dataclass(frozen=True)
class BecameServer:
    """What the process would have gone on as."""

    path: str
    arguments: list[str]
    environment: dict[str, str]


def called(*arguments: str, **environment: str) -> Any:
    return CliRunner().invoke(cli.app, ["serve", *arguments], env=environment, catch_exceptions=True)


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[BecameServer]:
    servers: list[BecameServer] = []

    def become(path: str, arguments: list[str], environment: dict[str, str]) -> None:
        servers.append(BecameServer(path, arguments, environment))

    monkeypatch.setattr(os, "execve", become)
    for name in ServerSettings.model_fields:
        monkeypatch.delenv(f"DPDASH_{name.upper()}", raising=False)
    return servers


def test_the_server_gets_the_settings_of_a_workshop(became: list[BecameServer], free_port: int) -> None:
    said = called("--address", "127.0.0.1", "--port", str(free_port), "--allowed-host", "a", "--allowed-host", "b")
    assert (said.exit_code, said.stderr) == (0, "")
    (server,) = became
    assert server.path == server.arguments[0] == sys.executable
    assert server.arguments[1:5] == ["-m", "streamlit", "run", str(APP)]
    assert {"--server.address=127.0.0.1", f"--server.port={free_port}", "--server.headless=true"} <= set(
        server.arguments
    )
    assert {name: server.environment[f"DPDASH_{name.upper()}"] for name in serve.WORKSHOP} == {
        "max_runs_per_browser": "2",
        "max_samples": "100000",
        "max_epochs": "100000",
    }
    assert server.environment["DPDASH_ALLOWED_HOSTS"] == "a,b"
    assert server.environment["PATH"] == os.environ["PATH"]


def test_without_a_command_the_dashboard_opens_for_this_machine_alone(became: list[BecameServer]) -> None:
    said = CliRunner().invoke(cli.app, [])
    assert (said.exit_code, said.output) == (0, "")
    (server,) = became
    assert server.arguments[1:] == ["-m", "streamlit", "run", str(APP)]
    assert not any(name.startswith("DPDASH_") for name in server.environment)


def test_a_setting_that_is_wrong_opens_nothing(became: list[BecameServer]) -> None:
    said = CliRunner(env={"DPDASH_MAX_PAGES": "none"}).invoke(cli.app, [])
    assert said.exit_code == 2
    assert "DPDASH_MAX_PAGES" in said.stderr
    assert became == []


def test_the_passphrase_is_printed_and_is_no_argument(became: list[BecameServer], free_port: int) -> None:
    said = called("--address", "127.0.0.1", "--port", str(free_port))
    passphrase = became[0].environment["DPDASH_TEACHER_PASSPHRASE"]
    assert f"For the teacher: http://127.0.0.1:{free_port}/room\nPassphrase: {passphrase}\n" in said.stdout
    assert passphrase not in " ".join(became[0].arguments)
    assert "▀" not in said.stdout  # no terminal


def test_a_passphrase_of_ones_own_is_not_printed(became: list[BecameServer], free_port: int) -> None:
    said = called("--address", "127.0.0.1", "--port", str(free_port), DPDASH_TEACHER_PASSPHRASE="correct horse")
    assert "Passphrase: the one that you have set\n" in said.stdout
    assert "correct" not in said.output


def test_a_passphrase_is_asked_for_unseen(became: list[BecameServer], free_port: int) -> None:
    place = ("--address", "127.0.0.1", "--port", str(free_port))
    runner = CliRunner()
    said = runner.invoke(cli.app, ["serve", *place, "--passphrase"], input="correct horse\ncorrect horse\n")
    assert said.exit_code == 0
    assert became[0].environment["DPDASH_TEACHER_PASSPHRASE"] == "correct horse"
    assert "correct" not in said.output

    said = runner.invoke(cli.app, ["serve", *place, "--passphrase"], input="seven77\nseven77\n")
    assert said.exit_code == 2
    assert "at least 8 characters. Received: 7 of them." in said.stderr
    assert "seven" not in said.output


def test_options_go_before_the_environment_and_that_before_the_workshop(
    became: list[BecameServer], free_port: int
) -> None:
    place = ("--address", "127.0.0.1", "--port", str(free_port))
    called(*place, "--max-samples", "7", "--full-speed-slots", "3", DPDASH_MAX_SAMPLES="8", DPDASH_MAX_EPOCHS="9")
    environment = became[0].environment
    assert environment["DPDASH_MAX_SAMPLES"] == "7"
    assert environment["DPDASH_MAX_EPOCHS"] == "9"
    assert environment["DPDASH_FULL_SPEED_SLOTS"] == "3"
    assert environment["DPDASH_MAX_RUNS_PER_BROWSER"] == "2"


def test_a_qr_code_can_be_asked_for(became: list[BecameServer], free_port: int) -> None:
    said = called("--address", "127.0.0.1", "--port", str(free_port), "--qr")
    assert serve.qr_code(f"http://127.0.0.1:{free_port}") in said.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (("--max-samples", "0"), {}, "--max-samples: Input should be greater than or equal to 1. Received: 0."),
        (("--paced-slots", "many"), {}, "Received: many."),
        (
            (),
            {"DPDASH_TEACHER_PASSPHRASE": "seven77"},
            "DPDASH_TEACHER_PASSPHRASE: A passphrase needs 8 characters",
        ),
        (("--port", "70000"), {}, "--port"),
    ],
)
def test_a_bad_value_ends_with_2(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    sentence: str,
    became: list[BecameServer],
    free_port: int,
) -> None:
    said = called("--address", "127.0.0.1", "--port", str(free_port), *arguments, **environment)
    assert said.exit_code == 2
    assert said.stdout == ""
    assert sentence in said.stderr
    assert "seven77" not in said.output
    assert "Traceback" not in said.output
    assert became == []


def test_every_setting_that_an_option_sets_is_one(became: list[BecameServer], free_port: int) -> None:
    called(
        "--address", "127.0.0.1", "--port", str(free_port), "--max-pages", "5", "--database-url", "sqlite:///x.db"
    )
    names = {name.removeprefix("DPDASH_").lower() for name in became[0].environment if name.startswith("DPDASH_")}
    assert names <= ServerSettings.model_fields.keys()
    given = {name: became[0].environment[f"DPDASH_{name.upper()}"] for name in names}
    assert read_settings(given).max_pages == 5


def test_the_serving_options_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit reads the file beside the app last: what stands in the folder one happens to be in is weaker."""
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[client]\nshowErrorDetails = 'full'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(streamlit_config, "_main_script_path", str(APP))
    assert streamlit_config.get_config_files("config.toml")[-1] == str(APP.parent / ".streamlit" / "config.toml")
