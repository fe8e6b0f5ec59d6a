"""What the commands share."""

import signal
from pathlib import Path

import pytest

from dpdash.cli.terminal import signals_received
from tests.unit.cli.test_app import called
from tests.unit.cli.test_scaling import TINY
from tests.unit.cli.test_sweep import GRID

MEASURING = pytest.mark.parametrize("command", [TINY, GRID], ids=["scaling", "sweep"])


def test_the_first_signal_is_noted_and_the_second_does_what_it_always_did() -> None:
    # Whoever starts the tests in the background may have it ignored.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    with signals_received() as received:
        signal.raise_signal(signal.SIGINT)
        assert received == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert received == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, usual)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
@MEASURING
def test_what_was_measured_is_printed_although_its_file_cannot_be_written(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    said = called(tmp_path / "runs.db", *command, "--json", "--csv", "/dev/full")
    assert said.status == 1
    assert said.json["status"] == "finished"
    assert said.stderr.startswith("--csv: /dev/full could not be written (No space left on device).")


@MEASURING
def test_a_folder_is_no_file_to_write_into(command: tuple[str, ...], tmp_path: Path) -> None:
    said = called(tmp_path / "runs.db", *command, "--csv", str(tmp_path))
    assert (said.status, said.stdout) == (2, "")
    sentence = f"--csv must be a file. Received: the folder {tmp_path}. Try {tmp_path}/results.csv."
    assert said.stderr.strip() == sentence
