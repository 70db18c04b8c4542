"""The laws of rates with a judge in them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.correction import Labelled, Predicted
from service.core.judged import rate_by_verdicts
from service.core.phases import Verdict, correct_with_judge
from tests.property.strategies import CONFIDENCES, LAW


@dataclass(frozen=True, kw_only=True)
class World:
    """Scored samples, of which a judge saw some and people labelled some."""

    predicted: Predicted
    labels: Mapping[int, Labelled]
    verdicts: Sequence[Verdict]


def world(seed: int, judged: float, knows: float) -> World:
    """Two hundred samples of two weights; the judge says what is true of so many of them, else a toss of a coin."""
    draw = random.Random(seed)
    rows = []
    for _ in range(200):
        p, f = draw.choice([0.1, 1.0]), draw.random()
        rows.append(Labelled(inclusion_probability=p, label_probability=0.5, y=float(draw.random() < f), m=1, f=f))
    ws = [1 / x.inclusion_probability for x in rows]
    sums = [sum(w * w * x.f**k for w, x in zip(ws, rows, strict=True)) for k in (2, 1, 0)]
    f = sum(w * x.f for w, x in zip(ws, rows, strict=True))
    verdicts = []
    for seq, x in enumerate(rows):
        said = x.y if draw.random() < knows else float(draw.random() < 0.5)
        if draw.random() < judged:
            verdicts.append(Verdict(sample_seq=seq, sample=replace(x, y=said, label_probability=judged)))
    return World(
        predicted=Predicted(f=f, m=sum(ws), ff=sums[0], fm=sums[1], mm=sums[2]),
        labels={seq: x for seq, x in enumerate(rows) if draw.random() < 0.5},
        verdicts=verdicts,
    )


WORLDS = st.builds(world, st.integers(0, 10_000), st.sampled_from([0.3, 0.7, 1.0]), st.sampled_from([0.0, 0.5, 0.95]))


@LAW
@given(WORLDS, CONFIDENCES)
def test_intervals_hold_their_rate(given_world: World, confidence: float) -> None:
    """0 <= low <= rate <= high <= 1, of what the judge would flag and of what people would."""
    found = correct_with_judge(given_world.predicted, given_world.labels, given_world.verdicts, confidence)
    by_judge = rate_by_verdicts(given_world.predicted, [v.sample for v in given_world.verdicts], confidence)
    for each in (found, by_judge):
        if each is not None and each.rate is not None and each.low is not None and each.high is not None:
            assert 0 <= each.low <= each.rate <= each.high <= 1
    assert found is None or found.rate is not None


@LAW
@given(WORLDS, st.integers(0, 10_000))
def test_the_order_of_what_is_read_changes_nothing(given_world: World, seed: int) -> None:
    """Labels and verdicts in any order give one rate and one interval."""
    draw = random.Random(seed)
    labels, verdicts = list(given_world.labels.items()), list(given_world.verdicts)
    draw.shuffle(labels)
    draw.shuffle(verdicts)
    one = correct_with_judge(given_world.predicted, given_world.labels, given_world.verdicts, 0.95)
    other = correct_with_judge(given_world.predicted, dict(labels), verdicts, 0.95)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (other.rate, other.low, other.high) == pytest.approx((one.rate, one.low, one.high), abs=1e-9)


@LAW
@given(WORLDS, st.floats(0.01, 1))
def test_probabilities_of_judging_are_not_needed(given_world: World, factor: float) -> None:
    """The hallucination rate is the same if all that the judge saw had been seen with other probabilities, all alike."""
    scaled = [
        replace(v, sample=replace(v.sample, label_probability=v.sample.label_probability * factor))
        for v in given_world.verdicts
    ]
    one = correct_with_judge(given_world.predicted, given_world.labels, given_world.verdicts, 0.95)
    other = correct_with_judge(given_world.predicted, given_world.labels, scaled, 0.95)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (other.rate, other.low, other.high) == pytest.approx((one.rate, one.low, one.high), abs=1e-9)


@LAW
@given(st.integers(0, 10_000))
def test_what_the_judge_knows_of_all_needs_no_labels_of_all(seed: int) -> None:
    """A judge that saw all and is always right gives the share of all, whichever were labelled."""
    known = world(seed, 1.0, 1.0)
    found = correct_with_judge(known.predicted, known.labels, known.verdicts, 0.95)
    truth = sum(v.sample.y / v.sample.inclusion_probability for v in known.verdicts) / known.predicted.m
    assert found is not None
    assert found.rate == pytest.approx(truth, abs=1e-9)
