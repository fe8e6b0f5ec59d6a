from itertools import count

import pytest

from dpdash.training.variants.steady import MOST_WARM_STEPS, steady


def test_the_clock_counts_warm_steps_alone() -> None:
    durations = [50.0, 5.0, 4.0]
    now = 0.0

    def step() -> None:
        nonlocal now
        now += durations.pop(0) if durations else 2.0

    found = steady(step, 100, clock=lambda: now)

    assert (found.step_seconds, found.num_steps) == (2, 50)


def test_a_first_stretch_tells_how_many_steps_fill_the_time() -> None:
    done: list[None] = []
    found = steady(lambda: done.append(None), 30, clock=map(float, count()).__next__)
    # By this clock a warm step takes a second, and each stretch takes one.
    assert len(done) == MOST_WARM_STEPS + 3 + found.num_steps
    assert found.num_steps == 90


@pytest.mark.parametrize(("seconds", "num_warm", "num_steps"), [(0.4, 1, 1), (1.4, 2, 1), (2.6, 3, 3)])
def test_a_slow_step_is_done_seldom(seconds: float, num_warm: int, num_steps: int) -> None:
    done: list[None] = []
    found = steady(lambda: done.append(None), seconds, clock=map(float, count()).__next__)
    assert (found.num_steps, len(done)) == (num_steps, num_warm + num_steps)


def test_devices_are_waited_for_before_the_clock_is_read() -> None:
    queued, now = 0, 0.0

    def step() -> None:
        nonlocal queued
        queued += 1

    def wait() -> None:
        nonlocal queued, now
        now, queued = now + queued, 0

    assert steady(step, 7, wait, clock=lambda: now).step_seconds == pytest.approx(1)


def test_all_who_do_it_together_do_as_many() -> None:
    assert steady(lambda: None, 1, agree=lambda _num_steps: 5).num_steps == 5
