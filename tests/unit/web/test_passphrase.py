"""Few tries for who guesses, and an open door for who knows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.web.passphrase import (
    A_BROWSER,
    ALL_TOGETHER,
    AN_ADDRESS,
    CROWD,
    PassphraseError,
    PassphraseGate,
)
from dpdash.web.rate_limit import Allowance
from tests.fakes import FakeClock

RIGHT = "correct horse"
PAUSES = st.floats(0, 3 * A_BROWSER.seconds)


def refusal(
    gate: PassphraseGate, passphrase: str, browser: str = "browser", address: str | None = "10.0.0.1"
) -> str:
    with pytest.raises(PassphraseError) as caught:
        gate.show(passphrase, browser, address)
    return str(caught.value)


def is_compared(gate: PassphraseGate, browser: str, address: str) -> bool:
    """Whether a wrong guess was looked at, and not refused unseen."""
    return "not the passphrase" in refusal(gate, "a guess", browser, address)


def most_tries(allowance: Allowance, seconds: float) -> float:
    return allowance.at_once + seconds / allowance.seconds


def test_the_right_passphrase_lets_one_browser_in() -> None:
    gate = PassphraseGate(RIGHT, FakeClock())
    assert not gate.is_open_to("teacher")
    gate.show(RIGHT, "teacher", None)
    gate.show(RIGHT, "teacher", None)
    assert gate.is_open_to("teacher")
    assert not gate.is_open_to("learner")


@pytest.mark.parametrize(
    "wrong", ["", "correct hors", "correct horse ", "Correct horse", RIGHT * 2, "x" * 100_000]
)
def test_anything_else_does_not(wrong: str) -> None:
    gate = PassphraseGate(RIGHT, FakeClock())
    assert "not the passphrase" in refusal(gate, wrong)
    assert not gate.is_open_to("browser")


def test_letters_of_any_script_count() -> None:
    gate = PassphraseGate("señal öffnen", FakeClock())
    refusal(gate, "senal offnen")
    gate.show("señal öffnen", "teacher", None)
    assert gate.is_open_to("teacher")


def test_the_sentence_says_how_long_to_wait_and_then_it_opens() -> None:
    clock = FakeClock()
    gate = PassphraseGate(RIGHT, clock)
    for _try in range(A_BROWSER.at_once):
        refusal(gate, "a guess")
    said = refusal(gate, RIGHT)
    assert not gate.is_open_to("browser")
    wait = re.search(r"Wait (\d+) seconds", said)
    assert wait is not None
    clock.now += int(wait[1]) - 1
    assert "Wait 1 seconds" in refusal(gate, RIGHT)
    clock.now += 1
    gate.show(RIGHT, "browser", "10.0.0.1")
    assert gate.is_open_to("browser")


def test_what_is_refused_unseen_costs_no_try() -> None:
    clock = FakeClock()
    gate = PassphraseGate(RIGHT, clock)
    for _try in range(A_BROWSER.at_once + 100):
        refusal(gate, "a guess")
    clock.now += A_BROWSER.seconds
    gate.show(RIGHT, "browser", "10.0.0.1")


def test_new_cookies_do_not_bring_new_tries() -> None:
    gate = PassphraseGate(RIGHT, FakeClock())
    compared = sum(is_compared(gate, f"browser {number}", "10.0.0.1") for number in range(100))
    assert compared == AN_ADDRESS.at_once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::7"),
        ("10.0.0.1", "::ffff:10.0.0.1"),
        ("fe80::1%eth0", "fe80::2%eth0"),
    ],
)
def test_two_addresses_of_one_home_share_their_tries(one: str, other: str) -> None:
    gate = PassphraseGate(RIGHT, FakeClock())
    for number in range(AN_ADDRESS.at_once):
        assert is_compared(gate, f"browser {number}", one)
    assert not is_compared(gate, "another", other)


def test_an_address_that_is_none_is_an_address_too() -> None:
    gate = PassphraseGate(RIGHT, FakeClock())
    compared = sum(is_compared(gate, f"browser {number}", "testclient") for number in range(100))
    assert compared == AN_ADDRESS.at_once


@given(
    st.lists(
        st.tuples(PAUSES, st.integers(0, 2 * CROWD), st.integers(0, CROWD - 2)),
        min_size=A_BROWSER.at_once,
        max_size=150,
    )
)
def test_no_crowd_keeps_the_teacher_out(guesses: list[tuple[float, int, int]]) -> None:
    """However they guess, and even if each of them uses up all tries first."""
    clock = FakeClock()
    gate = PassphraseGate(RIGHT, clock)
    for address in range(CROWD - 1):
        for number in range(AN_ADDRESS.at_once + 1):
            refusal(gate, "a guess", f"early {address} {number}", f"10.0.0.{address}")
    for pause, browser, address in guesses:
        clock.now += pause
        refusal(gate, "a guess", f"browser {browser}", f"10.0.0.{address}")
    gate.show(RIGHT, "teacher", "10.0.1.1")
    assert gate.is_open_to("teacher")


@given(st.lists(st.tuples(PAUSES, st.integers(0, 3), st.integers(0, 3)), max_size=300))
def test_a_guesser_gets_few_tries_in_any_time(guesses: list[tuple[float, int, int]]) -> None:
    clock = FakeClock()
    gate = PassphraseGate(RIGHT, clock)
    seen: list[tuple[float, int, int]] = []
    for pause, browser, address in guesses:
        clock.now += pause
        if is_compared(gate, f"browser {browser}", f"10.0.0.{address}"):
            seen.append((clock.now, browser, address))
    for index, (begin, browser, address) in enumerate(seen):
        later = seen[index:]
        seconds = later[-1][0] - begin
        assert sum(other == browser for _, other, _ in later) <= most_tries(A_BROWSER, seconds) + 1e-6
        assert sum(other == address for _, _, other in later) <= most_tries(AN_ADDRESS, seconds) + 1e-6


def test_a_flood_of_addresses_is_bounded_and_so_is_the_memory_of_it() -> None:
    clock = FakeClock()
    gate = PassphraseGate(RIGHT, clock)
    compared, most = 0, 0
    seconds = 600
    for number in range(seconds * 50):
        clock.now += 1 / 50
        compared += is_compared(gate, f"browser {number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        most = max(most, len(gate._by_browser) + len(gate._by_address))
    assert compared <= most_tries(ALL_TOGETHER, seconds)
    # Each name is remembered until its try has come back.
    assert most <= most_tries(ALL_TOGETHER, A_BROWSER.seconds) + most_tries(ALL_TOGETHER, AN_ADDRESS.seconds)
    clock.now += 10_000
    refusal(gate, "a guess")
    assert len(gate._by_browser) + len(gate._by_address) == 2
