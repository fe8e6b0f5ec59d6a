"""What the commands share."""

import signal

import pytest

from dpdash.cli.terminal import signals_received


def test_the_first_signal_is_noted_and_the_second_does_what_it_always_did() -> None:
    before = signal.getsignal(signal.SIGINT)
    with signals_received() as received:
        signal.raise_signal(signal.SIGINT)
        assert received == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert received == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is before
