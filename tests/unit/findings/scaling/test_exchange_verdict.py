"""What is said of an exchange, and of which numbers."""

import re
from collections.abc import Iterable

import pytest

from dpdash.core.scaling.exchange_study import DdpStep, Subject, Transfer
from dpdash.core.scaling.variants import Variant
from dpdash.findings.scaling import exchange_verdict as said
from dpdash.findings.scaling.sentence import Sentence
from dpdash.findings.scaling.verdict import DISTURBED
from tests.unit.findings.scaling.made_up_exchanges import (
    COMPUTING,
    EXCHANGE,
    LATENCY,
    PER_BYTE,
    seconds_of,
    study_of,
)


def templates(sentences: Iterable[Sentence]) -> list[str]:
    found = list(sentences)
    for sentence in found:
        assert set(re.findall(r"{(\w+)}", sentence.template)) <= sentence.values.keys()
    return [sentence.template for sentence in found]


def test_latency_and_time_per_byte_are_said_first() -> None:
    first = said.transfer_sentences(study_of(), None)[0]
    assert first.template == said.COST
    assert first.values["latency"] == pytest.approx(1e6 * LATENCY, rel=0.01)
    assert first.values["per_byte"] == pytest.approx(1e9 * PER_BYTE, rel=0.01)


def test_the_gradient_of_the_measured_model_has_its_real_time_beside_the_predicted() -> None:
    study = study_of()
    marked = said.mark(study, 512, 2)
    assert marked is not None and marked.measured == pytest.approx(marked.seconds, rel=0.05)
    assert said.GRADIENT_MEASURED in templates(said.transfer_sentences(study, marked))
    other = said.mark(study, 1024, 2)
    assert other is not None and other.measured is None
    assert said.GRADIENT in templates(said.transfer_sentences(study, other))


def test_a_lines_gradient_is_latency_alone() -> None:
    study = study_of(hidden_depth=0)
    marked = said.mark(study, 64, 0)
    assert marked is not None and marked.num_bytes == 8
    assert said.SMALL_GRADIENT_MEASURED in templates(said.transfer_sentences(study, marked))
    assert said.ONE_BUCKET in templates(said.step_sentences(study))
    elsewhere = study_of()
    assert said.SMALL_GRADIENT in templates(said.transfer_sentences(elsewhere, said.mark(elsewhere, 64, 0)))


@pytest.mark.parametrize(("odd", "template"), [((2**18, 2**20), said.OFF_SIZES), ((2**19,), said.OFF_SIZE)])
def test_sizes_off_the_line_are_said(odd: tuple[int, ...], template: str) -> None:
    def bimodal(turn: Subject) -> float:
        is_odd = isinstance(turn, Transfer) and turn.num_bytes in odd
        return seconds_of(turn) * (2 if is_odd else 1)

    sentences = said.transfer_sentences(study_of(bimodal), None)
    (told,) = (sentence for sentence in sentences if sentence.template == template)
    assert told.values["low"] == odd[0] / 1024 and told.values["high"] == odd[-1] / 1024


def test_ways_by_hand_are_compared_with_torchs_at_their_largest() -> None:
    (told,) = (one for one in said.transfer_sentences(study_of(), None) if one.template == said.BY_HAND)
    assert told.values == {"size": 64, "ring": pytest.approx(2), "naive": pytest.approx(3)}


def test_what_ddp_hides_is_said() -> None:
    assert templates(said.step_sentences(study_of())) == [
        said.TAKEN_AWAY,
        said.HIDDEN,
        said.NONE_IS_BETTER,
        said.ACCUMULATED,
    ]


def test_where_little_can_be_hidden_the_cores_are_named() -> None:
    def never_hides(turn: Subject) -> float:
        if isinstance(turn, DdpStep) and turn.variant is Variant.ENGINE and turn.micro_batches == 1:
            return COMPUTING + EXCHANGE
        return seconds_of(turn)

    sentences = said.step_sentences(study_of(never_hides, noise=1e-6))
    assert templates(sentences)[1:-1] == [said.HIDES_NOTHING, said.NONE_IS_BETTER, said.LITTLE]
    assert sentences[-2].values == {"percent": 0, "replicas": 2, "places": 2}


@pytest.mark.parametrize(("index", "template"), [(1, said.BEST_IS_ONE), (-1, said.BEST)])
def test_the_best_size_is_named(index: int, template: str) -> None:
    best = study_of().plan.bucket_caps[index]

    def one_is_best(turn: Subject) -> float:
        return COMPUTING * 1.01 if turn == DdpStep(2, bucket_cap_mb=best) else seconds_of(turn)

    (told,) = (one for one in said.step_sentences(study_of(one_is_best)) if one.template == template)
    assert told.values["saved"] == pytest.approx(1e3 * (EXCHANGE / 2 - 0.01 * COMPUTING))


def test_an_exchange_that_cannot_be_measured_is_lost() -> None:
    sentences = said.step_sentences(study_of(lambda turn: COMPUTING, noise=0.1))
    assert templates(sentences)[1:] == [said.LOST, said.ACCUMULATED_ALIKE]


def test_steps_that_are_too_noisy_have_no_cause() -> None:
    assert templates(said.step_sentences(study_of(noise=0.4))) == [said.TOO_NOISY]


@pytest.mark.parametrize("share", [None, 0.0, 0.04])
def test_a_quiet_machine_is_not_mentioned(share: float | None) -> None:
    assert said.condition_sentences(study_of(other_programs=share)) == ()


def test_what_disturbed_is_said() -> None:
    sentences = said.condition_sentences(study_of(other_programs=0.38, num_cores=1))
    assert templates(sentences) == [said.OVERSUBSCRIBED, DISTURBED]
    assert sentences[1].values == {"percent": 38}
