"""What runs are called."""

from dataclasses import replace

from dpdash.core.config import RunConfig
from dpdash.core.events import RunStatus
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
        assert names_of([RECORD, other, named]) == [
            "usual settings · one device",
            "usual settings · DataParallel, emulated on CPU × 2",
            "mine",
        ]


def test_only_what_differs() -> None:
    configs = [RunConfig(), RunConfig(noise=2), RunConfig(seed=4)]
    assert differing(configs) == ("noise", "seed")
    assert differing([RunConfig(), RunConfig()]) == ()
