"""What is measured of an exchange, and what stays of it when it ends early."""

from dataclasses import replace

import pytest

from dpdash.core.errors import ConfigError
from dpdash.core.scaling.exchange import ExchangeWay
from dpdash.core.scaling.exchange_study import DdpStep, Transfer
from dpdash.core.scaling.variants import Variant
from tests.unit.findings.scaling.made_up_exchanges import plan_of, study_of


def test_the_gradients_own_size_is_measured_for_each_number_of_ranks() -> None:
    plan = plan_of(replicas=3)
    wanted = {Transfer(ExchangeWay.ALL_REDUCE, count, plan.gradient_bytes) for count in (2, 3)}
    assert wanted <= set(plan.turns)
    assert len(set(plan.turns)) == len(plan.turns), "nothing is measured twice in a round"


def test_what_is_made_by_hand_and_steps_are_measured_with_the_most_ranks() -> None:
    others = [
        turn
        for turn in plan_of(replicas=4).turns
        if isinstance(turn, DdpStep) or turn.way is not ExchangeWay.ALL_REDUCE
    ]
    assert {turn.replicas for turn in others} == {4}


def test_a_batch_is_cut_into_no_more_parts_than_it_has_samples_for() -> None:
    assert plan_of(samples=10_000).micro_batches == (2, 4, 8)
    assert plan_of(samples=9).micro_batches == (2, 4)
    assert not any(isinstance(turn, DdpStep) and turn.micro_batches > 1 for turn in plan_of(samples=2).turns)


@pytest.mark.parametrize("wrong", [{"replicas": 1}, {"samples": 0}, {"hidden_width": 0}, {"seconds": 0.0}])
def test_a_plan_that_no_run_could_have_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        plan_of(**wrong)


def test_an_unfinished_round_is_left_out_unless_it_is_the_only_one() -> None:
    whole = study_of()
    num_turns = len(whole.turns)
    cut = replace(whole, measurements=whole.measurements[: num_turns + 5])
    assert cut.even().measurements == whole.measurements[:num_turns]
    first = replace(whole, measurements=whole.measurements[:5])
    assert first.even() == first


def test_what_does_not_fit_into_the_time_is_not_wanted() -> None:
    whole = study_of(replicas=3)
    fewer = replace(whole, left_out=(2,), rounds=1)
    assert {turn.replicas for turn in fewer.turns} == {3}
    assert fewer.num_wanted == len(fewer.turns) < whole.num_wanted
    assert len(fewer.of(DdpStep(3, Variant.NO_EXCHANGE))) == whole.plan.repeats
