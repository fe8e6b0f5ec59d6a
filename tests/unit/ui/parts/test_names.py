"""What runs are called."""

from dataclasses import replace

from dpdash.core.config import RunConfig
from dpdash.core.events import LearningRateChanged, RunStatus
from dpdash.core.translations import language
from dpdash.store.store import RunRecord
from dpdash.ui.parts.names import differing, name_of, names_of
from dpdash.ui.session.language import speaking

RECORD = RunRecord("a", RunConfig(), "ann", RunStatus.FINISHED, 1.0, 2.0, 5, 0.3, 3.0, 0.0, 1.0, None)


def test_a_name_that_was_given_comes_first() -> None:
    with speaking(language("en")):
        assert name_of(RECORD) == "usual settings"
        assert name_of(replace(RECORD, name="mine")) == "mine"


def test_runs_that_are_called_the_same_are_told_apart() -> None:
    other = replace(RECORD, config=RunConfig(engine="cpu_replicas", replicas=2))
    named = replace(RECORD, name="mine")
    with speaking(language("en")):
        assert names_of([RECORD, other, named]) == ["one device", "DataParallel, emulated on CPU × 2", "mine"]
        twice = replace(named, config=RunConfig(seed=4))
        assert names_of([named, twice]) == ["mine · seed 0", "mine · seed 4"]
        assert names_of([RECORD, RECORD]) == ["usual settings", "usual settings"]


def test_what_they_share_is_not_said_again() -> None:
    shared = RunConfig(samples=4_096, epochs=200)
    records = [
        replace(RECORD, config=shared.model_copy(update={"learning_rate": rate})) for rate in (0.01, 0.05, 0.2)
    ]
    with speaking(language("en")):
        assert names_of(records) == ["rate 0.01", "rate 0.05", "rate 0.2"]


def test_only_what_differs() -> None:
    records = [replace(RECORD, config=config) for config in (RunConfig(), RunConfig(noise=2), RunConfig(seed=4))]
    assert differing(records) == ("noise", "seed")
    assert differing([RECORD, RECORD]) == ()


def test_a_learning_rate_that_was_moved_is_another_one() -> None:
    moved = replace(RECORD, learning_rate_changes=(LearningRateChanged(59, 0.5),))
    assert differing([RECORD, moved]) == ("learning_rate",)
    assert differing([moved, moved]) == ()
    with speaking(language("en")):
        assert names_of([RECORD, moved]) == ["rate 0.01", "rate 0.01 → 0.5 at 59"]
        assert name_of(moved) == "rate 0.01 → 0.5 at 59"
