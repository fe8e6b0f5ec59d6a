"""What a group of ranks makes of what they answer, in whichever order; the ranks are made up."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from dpdash.core.config import EngineName, RunConfig
from dpdash.core.scaling.variants import Variant
from dpdash.training.ddp.channel import Beat, FromRank, Measured, NotMeasured, ToRank
from dpdash.training.ddp.group import RANK_GONE, RankGroup
from dpdash.training.variants.measurer import MeasuringError
from dpdash.training.variants.steady import Steady

CONFIG = RunConfig(engine=EngineName.DDP, replicas=2)
GONE = EOFError()


class MadeUpRank:
    """Answers in turn what it is given, one message for each of its turns to speak."""

    def __init__(self, *messages: FromRank | EOFError) -> None:
        self.messages = list(messages)
        self.orders: list[ToRank] = []

    def send(self, order: ToRank) -> None:
        self.orders.append(order)

    def recv(self) -> FromRank:
        message = self.messages.pop(0)
        if isinstance(message, EOFError):
            raise message
        return message


class MadeUpLaunch:
    """Ranks that speak one after the other."""

    def __init__(self, *ranks: MadeUpRank) -> None:
        self.ranks = {rank: number for number, rank in enumerate(ranks)}
        self.is_open = False

    def __enter__(self) -> Self:
        self.is_open = True
        return self

    def __exit__(self, *_error: object) -> None:
        self.is_open = False

    def wait_until_connected(self, _is_wanted: Callable[[], bool]) -> bool:
        return True

    def speaking(self) -> Iterator[MadeUpRank]:
        while True:
            yield from [rank for rank in self.ranks if rank.messages]

    def has_lost_one(self) -> bool:
        return any(isinstance(message, EOFError) for rank in self.ranks for message in rank.messages)

    def log(self) -> str:
        return "what the ranks wrote"


@pytest.fixture
def group_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RankGroup, MadeUpLaunch]]:
    def make(*ranks: MadeUpRank) -> tuple[RankGroup, MadeUpLaunch]:
        launch = MadeUpLaunch(*ranks)
        monkeypatch.setattr("dpdash.training.ddp.group.Launch", lambda *_arguments: launch)
        return RankGroup(len(ranks)), launch

    return make


def measured(group: RankGroup) -> Steady:
    with group:
        return group.measure(CONFIG, Variant.ENGINE, 0.1)


def test_the_slowest_rank_counts_and_the_first_knows_the_waiting(group_of: Any) -> None:
    group, _launch = group_of(
        MadeUpRank(Beat(), Beat(), Measured(Steady(0.1, 5, waiting_seconds=0.02))),
        MadeUpRank(Measured(Steady(0.3, 5))),
        MadeUpRank(Beat(), Measured(None)),
    )
    assert measured(group) == Steady(0.3, 5, waiting_seconds=0.02)


def test_every_rank_is_ordered_though_the_first_ones_measure(group_of: Any) -> None:
    ranks = [
        MadeUpRank(Measured(Steady(0.1, 5))),
        MadeUpRank(Measured(Steady(0.1, 5))),
        MadeUpRank(Measured(None)),
    ]
    group, _launch = group_of(*ranks)
    measured(group)
    first, *others = (rank.orders for rank in ranks)
    assert len(first) == 1
    assert others == [first, first]


@pytest.mark.parametrize(
    ("second", "sentence"),
    [(MadeUpRank(Beat()), "connection reset"), (MadeUpRank(Beat(), GONE), RANK_GONE)],
    ids=["that breaks", "that breaks because another is gone"],
)
def test_a_rank(second: MadeUpRank, sentence: str, group_of: Any) -> None:
    group, launch = group_of(MadeUpRank(NotMeasured("connection reset")), second)
    with group:
        for _again in range(2):
            with pytest.raises(MeasuringError) as raised:
                group.measure(CONFIG, Variant.ENGINE, 0.1)
            assert str(raised.value) == sentence
            assert not launch.is_open
    assert len(second.orders) == 1
