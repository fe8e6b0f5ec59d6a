"""What runs are called."""

from dataclasses import replace

from dpdash.core.config import FIELD_NAMES, RunConfig
from dpdash.core.events import RunStatus
from dpdash.core.translations import language
from dpdash.store.store import RunRecord
from dpdash.ui.parts.names import automatic_name, differing, engine_of, name_of, names_of, value_of
from dpdash.ui.session.language import speaking

RECORD = RunRecord("a", RunConfig(), "ann", RunStatus.FINISHED, 1.0, 2.0, 5, 0.3, 3.0, 0.0, 1.0, None)


def test_a_run_is_called_by_what_is_not_as_usual() -> None:
    with speaking(language("en")):
        assert automatic_name(RunConfig()) == "usual settings"
        config = RunConfig(samples=1000, learning_rate=0.05, optimizer="sgd", engine="cpu_replicas", replicas=4)
        assert automatic_name(config) == "samples 1,000 · learning rate 0.05 · optimizer SGD"
    with speaking(language("pt_BR")):
        assert automatic_name(RunConfig(noise=0.1)) == "ruído 0,1"


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


def test_an_emulated_engine_says_so() -> None:
    with speaking(language("en")):
        assert engine_of(RunConfig(engine="cpu_replicas", replicas=2)) == "DataParallel, emulated on CPU × 2"
        assert engine_of(RunConfig()) == "one device"


def test_only_what_differs() -> None:
    configs = [RunConfig(), RunConfig(noise=2), RunConfig(seed=4)]
    assert differing(configs) == ("noise", "seed")
    assert differing([RunConfig(), RunConfig()]) == ()


def test_every_setting_can_be_written() -> None:
    with speaking(language("en")):
        assert all(value_of(name, RunConfig()) for name in FIELD_NAMES)
        assert value_of("global_batch_size", RunConfig()) == "all"
