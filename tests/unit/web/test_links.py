"""What a link holds and what is made of it, without a page."""

from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.runtime.state.query_params import CLIENT_STATE_QUERY_STRING_MAX_FIELDS

from dpdash.core.config import FIELD_NAMES, EngineName, RunConfig
from dpdash.core.errors import DpdashError, SettingError
from dpdash.core.limits import Limits
from dpdash.training import catalog
from dpdash.training.hardware import missing_gpus
from dpdash.ui.session.links import query_of
from dpdash.web.links import MAX_PROBLEMS, Link, parse_query
from dpdash.web.long_links import COUNT_PARAMETER, MOST_PARAMETERS, is_added, shortened
from tests.strategies import hostile_queries, limits, run_configs

ANYTHING = Limits(runs_per_browser=8, samples=10_000_000, epochs=1_000_000)
FEW = Limits(runs_per_browser=2, samples=1_000, epochs=100)
LONGEST_SENTENCE = 400


def read(query: str, allowed: Limits = ANYTHING) -> Link:
    """What becomes of a query on the way from a page's message to its script."""
    return parse_query(parse_qs(shortened(query), keep_blank_values=True), allowed)


def sentences(link: Link) -> list[str]:
    return [str(problem) for problem in link.problems]


@given(run_configs())
def test_a_link_brings_every_config_back(config: RunConfig) -> None:
    if missing_gpus(config):  # which is said, and only that: `tests/unit/training/test_devices.py`
        config = config.model_copy(update={"devices": None})
    assert read(urlencode(query_of(config, None))) == Link(config, None, ())


@given(hostile_queries(), limits())
def test_whatever_a_link_holds_becomes_allowed_settings_and_short_sentences(query: str, allowed: Limits) -> None:
    link = read(query, allowed)
    assert RunConfig.parse(dict(link.config)) == link.config
    assert allowed.problems(link.config) == ()
    assert len(link.problems) <= MAX_PROBLEMS + 1
    assert all(0 < len(sentence) < LONGEST_SENTENCE and sentence.isprintable() for sentence in sentences(link))
    assert read(urlencode(query_of(link.config, link.run_id)), allowed) == Link(link.config, link.run_id, ())


def test_a_query_holds_the_run_only_where_there_is_one() -> None:
    assert "run" not in query_of(RunConfig(), None)
    assert query_of(RunConfig(), "abc")["run"] == "abc"
    assert read("run=abc").run_id == "abc"
    assert read("run=") == read("")


def test_half_a_character_in_the_name_of_a_run_can_be_written_into_an_address() -> None:
    link = parse_query({"run": ["\udcff"]}, ANYTHING)
    assert link.run_id == "�"
    assert urlencode(query_of(link.config, link.run_id)).endswith("run=%EF%BF%BD")


def test_the_last_of_repeated_values_counts_and_is_said() -> None:
    link = read("samples=100&samples=200&samples=300")
    assert link.config.samples == 300
    [problem] = link.problems
    assert isinstance(problem, SettingError)
    assert problem.setting == "samples"
    assert str(problem) == "samples stands in the link 3 times. The last one is used."


def test_a_run_that_is_named_twice_is_said_too() -> None:
    link = read("run=one&run=two")
    assert link.run_id == "two"
    assert sentences(link) == ["run stands in the link 2 times. The last one is used."]


def test_allowed_values_apply_beside_those_that_are_not() -> None:
    link = read("samples=0&epochs=30")
    assert (link.config.samples, link.config.epochs) == (RunConfig().samples, 30)
    assert sentences(link) == ["samples must be at least 1. Received: 0. Try 10000."]


def test_a_link_without_devices_takes_what_this_machine_has() -> None:
    offer = catalog.offer()
    link = read("")
    assert link.problems == ()
    assert link.config.replicas > 1
    assert link.config.engine is offer.parallel_engine
    assert read("replicas=1").config.engine is EngineName.SINGLE
    assert read("replicas=3").config == link.config.model_copy(update={"replicas": 3})


def test_a_link_that_names_an_engine_gets_just_that() -> None:
    assert read("engine=single").config.replicas == 1
    config = read("engine=data_parallel&replicas=8").config
    assert (config.engine, config.replicas) == (EngineName.DATA_PARALLEL, 8)


@pytest.mark.parametrize("name", [name for name in EngineName if name is not EngineName.SINGLE])
def test_an_engine_that_spreads_the_work_has_several_replicas_unless_the_link_says_otherwise(
    name: EngineName,
) -> None:
    config = read(f"engine={name}").config
    assert (config.engine, config.replicas) == (name, read("").config.replicas)
    assert read(f"engine={name}&replicas=1").config.replicas == 1


@pytest.mark.parametrize("replicas", ["", "many", "1e3", "0", "65", "-1", "9" * 5000])
def test_wrong_replicas_are_said_once(replicas: str) -> None:
    link = read(f"replicas={replicas}")
    assert [getattr(problem, "setting", None) for problem in link.problems] == ["replicas"]
    assert 1 <= link.config.replicas <= 64


def test_of_many_problems_the_first_are_shown_and_the_rest_counted() -> None:
    problems = read("&".join(f"p{number}=x" for number in range(100))).problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert type(problems[-1]) is DpdashError
    assert str(problems[-1]) == f"The link has {100 - MAX_PROBLEMS} more such problems."


def test_what_this_server_does_not_allow_is_said_and_set_to_the_highest_value_that_it_does() -> None:
    link = read("samples=1001&epochs=100&global_batch_size=1001", FEW)
    assert (link.config.samples, link.config.epochs, link.config.global_batch_size) == (1_000, 100, 1_000)
    assert sentences(link) == ["samples must be at most 1000 on this server. Received: 1001. Try 1000."]


@pytest.mark.parametrize("name", ["utm_source", "utm_campaign", "fbclid", "gclid", "mc_eid", "_hsenc", "_gl"])
def test_what_mails_and_networks_add_to_a_link_is_nobodys_mistake(name: str) -> None:
    assert read(f"samples=50&{name}=IwAR0x") == read("samples=50")


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_no_setting_is_taken_for_something_that_was_added(name: str) -> None:
    assert not is_added(name)


def test_nobody_is_told_off_for_a_default() -> None:
    assert read("", FEW) == read("samples=1000&epochs=100", FEW)
    assert sentences(read("epochs=many", FEW)) == ["epochs must be a whole number. Received: many. Try 500."]


@pytest.mark.parametrize("number", [MOST_PARAMETERS + 1, 1_500, 5_000])
def test_the_settings_among_too_many_parameters_apply(number: int) -> None:
    junk = [("🦄", "1")] * (number - 3)
    link = read(urlencode([("epochs", "30"), *junk, ("learning_rate", "0.5"), ("run", "abc")]))
    assert (link.config.epochs, link.config.learning_rate, link.run_id) == (30, 0.5, "abc")
    assert sentences(link) == [
        f"A link can have at most 1000 parameters. Received: {number}. Try it with settings alone."
    ]


def test_of_a_setting_that_stands_there_too_often_the_last_value_counts() -> None:
    link = read("&".join(f"samples={number + 1}" for number in range(5_000)))
    assert link.config.samples == 5_000
    assert len(link.problems) == 2


@given(st.integers(1, 1_200), st.sampled_from(["x", "samples", "s%61mples", "run", "=", ""]))
def test_streamlit_reads_what_is_left_of_a_query(number: int, name: str) -> None:
    query = "&".join([f"{name}=1"] * number)
    short = shortened(query)
    assert short.count("&") < MOST_PARAMETERS <= CLIENT_STATE_QUERY_STRING_MAX_FIELDS
    assert (short == query) == (number <= MOST_PARAMETERS)
    assert dict(parse_qsl(short)).get(COUNT_PARAMETER, str(number)) == str(number)


@pytest.mark.parametrize("count", ["", "5", "1000", "many", "٣٣٣٣", "-5000", "1e9", "9" * 5000])
def test_a_count_that_somebody_made_up_is_no_setting(count: str) -> None:
    [sentence] = sentences(read(f"{COUNT_PARAMETER}={count}"))
    assert sentence.startswith(f"There is no setting called {COUNT_PARAMETER}.")
    assert FIELD_NAMES[0] in sentence
