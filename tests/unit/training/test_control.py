import threading

import pytest

from dpdash.core.events import StopReason
from dpdash.training.control import LONGEST_DELAY_SECONDS, SHORTEST_SLEEP_SECONDS, Command, Pace, RunControl
from tests.fakes import eventually


def epochs_begun(pace: Pace, seconds: float, tick: float) -> tuple[int, list[float]]:
    """Follow a pace for so long with epochs that take a tick; how many began, and the sleeps between them."""
    now, num_epochs, sleeps = 0.0, 0, []
    while now < seconds:
        delay = pace.delay(now)
        if delay:
            sleeps.append(delay)
            now += delay
        else:
            num_epochs += 1
            now += tick
    return num_epochs, sleeps


@pytest.mark.parametrize("rate", [0.5, 1, 10, 100, 1000, 5000])
def test_a_pace_is_kept_by_sleeping(rate: float) -> None:
    num_epochs, sleeps = epochs_begun(Pace(rate), seconds=20, tick=1e-5)
    assert num_epochs == pytest.approx(20 * rate, rel=0.01, abs=1)
    assert min(sleeps) >= SHORTEST_SLEEP_SECONDS


def test_a_machine_that_is_too_slow_never_sleeps() -> None:
    assert epochs_begun(Pace(100), seconds=5.01, tick=0.02) == (251, [])


def test_a_run_that_was_held_up_does_not_catch_up() -> None:
    pace = Pace(10)
    assert pace.delay(0.0) == 0
    assert pace.delay(100.0) == 0
    assert pace.delay(100.0) == pytest.approx(0.1)


def test_a_short_lag_is_made_up_for() -> None:
    pace = Pace(100)
    assert pace.delay(0.0) == 0
    late = LONGEST_DELAY_SECONDS * 0.8
    assert [pace.delay(late) for _ in range(4)] == [0, 0, 0, 0]
    assert pace.delay(late) > 0


def test_a_new_control_asks_for_nothing() -> None:
    control = RunControl()
    assert not control.needs_attention
    assert not control.is_paused
    assert control.stop_reason is None
    assert control.pace_delay(0.0) == 0.0
    assert control.take_learning_rate() is None


def test_attention_is_needed_only_while_something_is_asked_for() -> None:
    control = RunControl()
    control.pause()
    assert control.needs_attention
    control.resume()
    control.resume()
    assert not control.needs_attention
    control.set_learning_rate(0.1)
    assert control.needs_attention
    assert control.take_learning_rate() == 0.1
    assert not control.needs_attention
    control.set_epochs_per_second(10)
    assert control.needs_attention and control.epochs_per_second == 10
    control.set_epochs_per_second(None)
    assert not control.needs_attention and control.epochs_per_second is None
    control.stop()
    assert control.needs_attention


def test_one_epoch_is_asked_for_only_while_paused() -> None:
    control = RunControl()
    control.step_once()
    control.pause()
    assert not control.take_step()
    control.step_once()
    control.step_once()
    assert control.take_step()
    assert not control.take_step()
    control.step_once()
    control.resume()
    assert not control.take_step()


def test_the_first_reason_to_stop_is_kept() -> None:
    control = RunControl()
    control.stop(StopReason.SHUTDOWN)
    control.stop()
    assert control.stop_reason is StopReason.SHUTDOWN


def test_the_same_pace_again_does_not_restart_the_schedule() -> None:
    control = RunControl(epochs_per_second=10)
    assert control.pace_delay(0.0) == 0
    control.set_epochs_per_second(10)
    assert control.pace_delay(0.0) == pytest.approx(0.1)
    control.set_epochs_per_second(1)
    assert control.pace_delay(0.0) == 0


@pytest.mark.parametrize("command", ["resume", "step_once", "stop"])
def test_a_standing_run_wakes_up(command: str) -> None:
    control = RunControl()
    control.pause()
    thread = threading.Thread(target=control.wait_while_standing)
    thread.start()
    getattr(control, command)()
    thread.join(30)
    assert not thread.is_alive()


def test_a_wait_is_cut_short_by_a_command_even_if_that_came_first() -> None:
    control = RunControl()
    seen = control.num_commands
    control.set_learning_rate(0.1)
    control.wait(3600, seen)
    seen = control.num_commands
    thread = threading.Thread(target=control.wait, args=(3600, seen))
    thread.start()
    control.pause()
    thread.join(30)
    assert not thread.is_alive()


def test_a_run_stands_from_its_wait_to_the_next_command() -> None:
    control = RunControl()
    control.pause()
    assert not control.is_standing
    trainer = threading.Thread(target=control.wait_while_standing)
    trainer.start()
    eventually(lambda: control.is_standing)
    control.set_learning_rate(0.5)
    assert control.is_standing
    control.step_once()
    assert not control.is_standing
    trainer.join()
    assert control.take_step()
    assert not control.is_standing


def test_what_holds_and_what_comes_is_handed_on() -> None:
    control = RunControl(epochs_per_second=10)
    control.pause()
    control.step_once()
    control.set_learning_rate(0.5)
    told: list[tuple[Command, int]] = []
    control.hand_on(lambda command, num_commands: told.append((command, num_commands)))
    control.stop(StopReason.TEACHER)
    control.take_back()
    control.resume()
    last = control.num_commands
    assert told == [
        (Command("set_epochs_per_second", 10), last - 2),
        (Command("pause"), last - 2),
        (Command("step_once"), last - 2),
        (Command("set_learning_rate", 0.5), last - 2),
        (Command("stop", StopReason.TEACHER), last - 1),
    ]
    obeying = RunControl()
    for command, _num_commands in told:
        obeying.obey(command)
    assert obeying.epochs_per_second == 10
    assert obeying.is_paused
    assert obeying.take_step()
    assert obeying.take_learning_rate() == 0.5
    assert obeying.stop_reason is StopReason.TEACHER


def test_a_stand_elsewhere_holds_only_if_every_command_was_known_there() -> None:
    control = RunControl()
    control.hand_on(lambda _command, _num_commands: None)
    control.pause()
    known = control.num_commands
    control.step_once()
    control.stands(known)
    assert not control.is_standing, "the epoch asked for is still to come"
    control.stands(control.num_commands)
    assert control.is_standing
    control.set_learning_rate(0.5)
    assert control.is_standing
    control.resume()
    control.pause()
    assert not control.is_standing, "it goes until it has said that it stands"
