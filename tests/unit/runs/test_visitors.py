from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.runs.visitors import PAGES_PER_SECOND, Visitors, next_interval, shortest_interval
from tests.fakes import FakeClock


def crowd_of(num_pages: int, usual_seconds: float = 0.25) -> Visitors:
    crowd = Visitors(120, usual_seconds, FakeClock())
    for _ in range(num_pages):
        crowd.opened("ann")
    return crowd


@pytest.mark.parametrize(
    ("num_pages", "seconds"),
    [
        (0, 0.25),
        (10, 0.25),
        (11, 0.5),
        (20, 0.5),
        (21, 1),
        (40, 1),
        (60, 1),
        (61, 2),
        (120, 2),
        (121, 3),
        (300, 5),
    ],
)
def test_the_more_pages_are_open_the_less_often_they_are_refreshed(num_pages: int, seconds: float) -> None:
    assert crowd_of(num_pages).refresh_seconds == seconds


@pytest.mark.parametrize(("usual", "seconds"), [(0.1, [0.1, 0.5, 1.0]), (0.7, [0.7, 0.7, 1.0]), (5, [5, 5, 5])])
def test_nobody_is_refreshed_more_often_than_the_settings_say(usual: float, seconds: list[float]) -> None:
    assert [crowd_of(num_pages, usual).refresh_seconds for num_pages in (1, 15, 40)] == seconds


def test_the_interval_falls_only_when_a_fifth_has_left() -> None:
    crowd = crowd_of(70)
    seen = {70: crowd.refresh_seconds}
    for num_pages in range(69, -1, -1):
        crowd.closed("ann")
        seen[num_pages] = crowd.refresh_seconds
    changes = {after: seen[after] for before, after in pairwise(seen) if seen[after] != seen[before]}
    assert changes == {48: 1.0, 16: 0.5, 8: 0.25}


def test_pages_that_come_and_go_at_a_step_change_the_interval_once() -> None:
    crowd = crowd_of(20)
    seen = []
    for _ in range(5):
        crowd.opened("bob")
        seen.append(crowd.refresh_seconds)
        crowd.closed("bob")
        seen.append(crowd.refresh_seconds)
    assert seen == [1.0] * 10


@given(st.lists(st.integers(0, 1000)))
def test_a_crowd_never_gets_more_refreshes_than_the_server_has_time_for(sizes: list[int]) -> None:
    interval = 0.0
    for num_pages in sizes:
        interval = next_interval(interval, num_pages)
        assert shortest_interval(num_pages) <= interval <= shortest_interval(num_pages / 0.8)
        assert num_pages <= 20 or num_pages / interval <= PAGES_PER_SECOND


def test_pages_and_browsers_are_counted() -> None:
    crowd = crowd_of(2)
    crowd.opened("bob")
    assert (crowd.num_pages, crowd.num_browsers) == (3, 2)
    crowd.closed("bob")
    crowd.closed("bob")
    assert (crowd.num_pages, crowd.num_browsers) == (2, 1)


def test_the_clock_runs_from_the_last_page_and_the_last_command() -> None:
    clock = FakeClock()
    crowd = Visitors(120, 0.25, clock)
    crowd.opened("ann")
    crowd.closed("ann")
    clock.now += 100
    crowd.seen("ann")
    clock.now += 119
    assert crowd.take_abandoned() == ()
    clock.now += 1
    assert crowd.take_abandoned() == ("ann",)
