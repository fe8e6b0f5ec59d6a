"""What a link holds and what is made of it, without a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpdash.config import FIELD_NAMES, EngineName, RunConfig
from dpdash.engines import catalog
from dpdash.errors import DpdashError, SettingError
from dpdash.ui.links import MAX_PROBLEMS, parse_query, query_of
from tests.strategies import run_configs

TEXTS = st.text(max_size=30) | st.sampled_from(
    ["nan", "inf", "-1", "1e999", "0x10", "٣", "1_000", "None", "٠", "²"]
)
NAMES = st.sampled_from(FIELD_NAMES) | st.text(max_size=20)


def as_received(query: dict[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in query.items()}


@given(run_configs())
def test_a_link_brings_every_config_back(config: RunConfig) -> None:
    assert parse_query(as_received(query_of(config, None))) == (config, ())


@given(st.dictionaries(NAMES, st.lists(TEXTS, min_size=1, max_size=3), max_size=15))
def test_junk_never_raises_and_is_summed_up(query: dict[str, list[str]]) -> None:
    config, problems = parse_query(query)
    assert RunConfig.parse(dict(config)) == config
    assert len(problems) <= MAX_PROBLEMS + 1
    assert all(str(problem) for problem in problems)


def test_a_query_holds_the_run_only_where_there_is_one() -> None:
    assert "run" not in query_of(RunConfig(), None)
    assert query_of(RunConfig(), "abc")["run"] == "abc"


def test_the_last_of_repeated_values_counts_and_is_said() -> None:
    config, (problem,) = parse_query({"samples": ["100", "200", "300"]})
    assert config.samples == 300
    assert isinstance(problem, SettingError)
    assert problem.setting == "samples"
    assert str(problem) == "samples stands in the link 3 times. The last one is used."


def test_allowed_values_apply_beside_those_that_are_not() -> None:
    config, (problem,) = parse_query({"samples": ["0"], "epochs": ["30"]})
    assert (config.samples, config.epochs) == (RunConfig().samples, 30)
    assert str(problem) == "samples must be at least 1. Received: 0. Try 10000."


def test_a_link_without_devices_takes_what_this_machine_has() -> None:
    offer = catalog.offer()
    config, problems = parse_query({})
    assert problems == ()
    assert config.replicas > 1
    assert config.engine is offer.parallel_engine
    assert parse_query({"replicas": ["1"]})[0].engine is EngineName.SINGLE
    assert parse_query({"replicas": ["3"]})[0] == config.model_copy(update={"replicas": 3})


def test_a_link_that_names_an_engine_gets_just_that() -> None:
    assert parse_query({"engine": ["single"]})[0].replicas == 1
    config = parse_query({"engine": ["data_parallel"], "replicas": ["8"]})[0]
    assert (config.engine, config.replicas) == (EngineName.DATA_PARALLEL, 8)


@pytest.mark.parametrize("replicas", ["", "many", "1e3", "0", "65", "-1", "9" * 5000])
def test_wrong_replicas_are_said_once(replicas: str) -> None:
    config, problems = parse_query({"replicas": [replicas]})
    assert [getattr(problem, "setting", None) for problem in problems] == ["replicas"]
    assert 1 <= config.replicas <= 64


def test_of_many_problems_the_first_are_shown_and_the_rest_counted() -> None:
    _, problems = parse_query({f"p{number}": ["x"] for number in range(100)})
    assert len(problems) == MAX_PROBLEMS + 1
    assert type(problems[-1]) is DpdashError
    assert str(problems[-1]) == f"The link has {100 - MAX_PROBLEMS} more such problems."
