import pytest

from dpdash.web.turns import BusyError, Turns


def test_each_has_a_few_turns_and_all_together_some_more() -> None:
    turns = Turns(each=2, together=3)
    first = turns.take("ann")
    turns.take("ann")
    with pytest.raises(BusyError, match="busy with 2 such files"):
        turns.take("ann")
    turns.take("bob")
    with pytest.raises(BusyError, match="busy with 3 such files"):
        turns.take("cid")
    first()
    turns.take("cid")


def test_a_turn_ends_once() -> None:
    turns = Turns(each=2, together=2)
    first, second = turns.take("ann"), turns.take("ann")
    first()
    first()
    assert turns._at_it.total() == 1
    second()
    assert turns._at_it.total() == 0
