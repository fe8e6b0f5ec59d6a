from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dpdash.runs.slots import Lane, Slots

FULL, PACED = Lane.FULL_SPEED, Lane.PACED


def test_the_first_runs_get_slots_and_the_others_wait_in_order() -> None:
    slots = Slots(full_speed=2, paced=1)
    assert [slots.ask(run, FULL) for run in "abcd"] == [("a",), ("b",), (), ()]
    assert [slots.place(run) for run in "abcd"] == [None, None, 1, 2]
    assert slots.release("a") == ("c",)
    assert slots.place("d") == 1


def test_asking_again_keeps_the_place() -> None:
    slots = Slots(1, 1)
    for run in "abc":
        slots.ask(run, FULL)
    assert slots.ask("b", FULL) == ()
    assert (slots.place("b"), slots.place("c")) == (1, 2)
    assert slots.ask("a", FULL) == ()
    assert slots.lane_held("a") is FULL


def test_a_paced_run_never_waits_behind_runs_at_full_speed() -> None:
    slots = Slots(1, 2)
    slots.ask("a", FULL)
    slots.ask("b", FULL)
    assert slots.ask("paced", PACED) == ("paced",)


def test_a_paced_run_keeps_its_slot_until_full_speed_is_free() -> None:
    slots = Slots(1, 1)
    slots.ask("a", FULL)
    slots.ask("b", PACED)
    slots.ask("c", PACED)
    assert slots.ask("b", FULL) == ()
    assert slots.lane_held("b") is PACED
    assert slots.place("b") == 1
    assert slots.release("a") == ("b", "c"), "b moves up, and its paced slot goes to c"
    assert (slots.lane_held("b"), slots.lane_held("c")) == (FULL, PACED)


def test_wanting_back_what_one_holds_leaves_the_queue() -> None:
    slots = Slots(1, 1)
    slots.ask("a", FULL)
    slots.ask("b", PACED)
    slots.ask("b", FULL)
    assert slots.ask("b", PACED) == ()
    assert slots.place("b") is None
    assert slots.release("a") == ()


def test_a_slot_is_handed_over_past_the_queue() -> None:
    slots = Slots(1, 1)
    slots.ask("old", FULL)
    slots.ask("other", FULL)
    assert slots.hand_over("old", "new", FULL)
    assert (slots.lane_held("new"), slots.lane_held("old")) == (FULL, None)
    assert slots.place("other") == 1


def test_a_place_is_handed_over() -> None:
    slots = Slots(1, 1)
    for run in ("a", "old", "other"):
        slots.ask(run, FULL)
    assert not slots.hand_over("old", "new", FULL)
    assert (slots.place("new"), slots.place("other"), slots.place("old")) == (1, 2, None)


def test_a_slot_of_the_other_lane_is_not_handed_over() -> None:
    slots = Slots(1, 1)
    slots.ask("old", PACED)
    assert not slots.hand_over("old", "new", FULL)
    assert slots.lane_held("old") is PACED


def test_memory_and_threads_hold_a_few_runs_for_each_slot() -> None:
    assert Slots(1, 2).max_live_runs == 12
    assert Slots(2, 64).max_live_runs >= 40 * 6, "a room of forty with several runs each"


RUNS = st.sampled_from("abcdefgh")


class SlotsUnderAnyCommands(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(full_speed=2, paced=3)
        self.order: dict[Lane, list[str]] = {FULL: [], PACED: []}

    def _leave(self, run: str) -> None:
        for queue in self.order.values():
            if run in queue:
                queue.remove(run)

    def _granted(self, granted: tuple[str, ...]) -> None:
        for run in granted:
            lane = self.slots.lane_held(run)
            assert lane is not None
            assert self.order[lane].pop(0) == run, "not the first that asked"

    @rule(run=RUNS, lane=st.sampled_from(Lane))
    def ask(self, run: str, lane: Lane) -> None:
        if run not in self.order[lane]:
            self._leave(run)
            if self.slots.lane_held(run) is not lane:
                self.order[lane].append(run)
        self._granted(self.slots.ask(run, lane))

    @rule(run=RUNS)
    def release(self, run: str) -> None:
        self._leave(run)
        self._granted(self.slots.release(run))
        assert self.slots.lane_held(run) is None

    @invariant()
    def no_more_than_there_are(self) -> None:
        assert self.slots.num_held(FULL) <= 2
        assert self.slots.num_held(PACED) <= 3

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        assert not self.order[FULL] or self.slots.num_held(FULL) == 2
        assert not self.order[PACED] or self.slots.num_held(PACED) == 3

    @invariant()
    def places_count_from_one(self) -> None:
        for queue in self.order.values():
            assert [self.slots.place(run) for run in queue] == list(range(1, len(queue) + 1))


test_any_commands = SlotsUnderAnyCommands.TestCase
