"""What is free at once, what comes back with time, and what that takes of memory."""

import pytest

from dpdash.web.rate_limit import Allowance, RateLimiter


def waits(limiter: RateLimiter, now: float, *numbers: int, name: str = "a page") -> list[float]:
    """How long each in a row has to wait, each of them taken."""
    found = []
    for number in numbers:
        found.append(limiter.seconds_to_wait(name, now, number))
        limiter.take(name, now, number)
    return found


def test_who_takes_more_than_is_free_waits_the_longer_the_more_it_was() -> None:
    limiter = RateLimiter(Allowance(at_once=3, seconds=0.1))
    assert waits(limiter, 0.0, 1, 1, 1, 1, 1) == pytest.approx([0, 0, 0, 0.1, 0.2])
    assert waits(limiter, 0.2, 1) == pytest.approx([0.1])
    assert waits(limiter, 200.0, 5, 1) == pytest.approx([0.2, 0.3])


def test_what_is_not_used_does_not_heap_up() -> None:
    limiter = RateLimiter(Allowance(at_once=3, seconds=0.1))
    waits(limiter, 0.0, 1)
    assert waits(limiter, 100.0, 1, 1, 1, 1) == pytest.approx([0, 0, 0, 0.1])


def test_names_have_each_their_own_and_are_forgotten_when_they_have_all_of_it() -> None:
    limiter = RateLimiter(Allowance(at_once=1, seconds=10))
    assert waits(limiter, 0.0, 1, 1) == [0, 10]
    assert waits(limiter, 1.0, 1, name="another") == [0]
    assert len(limiter) == 2
    assert waits(limiter, 20.0, 1, name="a third") == [0]
    assert len(limiter) == 1


def test_many_who_share_have_together_what_each_would_have() -> None:
    assert Allowance(at_once=2, seconds=10).shared_by(5) == Allowance(at_once=10, seconds=2)
