"""Buckets: counts made into rates."""

from dataclasses import asdict
from datetime import timedelta

import pytest

from service.core.estimate import NOTHING, estimate, responses
from service.core.rates import Bucket, Question, make_buckets
from service.core.store.rates import Counted, ScoreRow, StateRow, Stretch, Unit
from service.core.store.rollups import Sums
from tests.unit.service.support import START, score, state, stretch


def every(
    states: list[StateRow], scored: list[ScoreRow], unit: Unit = Unit.RESPONSE, of: Stretch | None = None
) -> list[Bucket]:
    """The buckets that these rows make."""
    return make_buckets(Question(stretch=of or stretch(), unit=unit), Counted(states=states, scores=scored))


def only(states: list[StateRow], scored: list[ScoreRow], unit: Unit = Unit.RESPONSE) -> Bucket:
    """The one bucket that these rows make."""
    (bucket,) = every(states, scored, unit)
    return bucket


DAY = [
    state("sampled_out", 1_900, inclusion_probability=0.05),
    state("scored", 80),
    state("pending", 5),
    state("unscored", 4),
    state("not_applicable", 7),
    state("rejected_overload", 3),
    state("dropped_by_client", 8),
    state("duplicate", 11),
]


def test_counts_are_kept_apart() -> None:
    """Every submission is counted once, by what became of it; duplicates stand beside the sum."""
    assert asdict(only(DAY, [score(80, 8)]).counts) == {
        "submitted": 2_007,
        "sampled_out": 1_900,
        "rejected_overload": 3,
        "dropped_by_client": 8,
        "pending": 5,
        "scored": 80,
        "scored_by_others": 0,
        "not_applicable": 7,
        "unscored": 4,
        "duplicate": 11,
        "uncovered": 0,
    }


def test_what_had_no_chance_is_uncovered() -> None:
    """Submissions of a stratum whose probability was 0 are sampled out, and said to be outside every rate."""
    counts = only([*DAY, state("sampled_out", 50, inclusion_probability=0.0)], [score(80, 8)]).counts
    assert (counts.sampled_out, counts.uncovered) == (1_950, 50)


def test_rate_is_the_estimate_over_the_scored() -> None:
    """The bucket's rate is the estimator's over its score rows; what has no score is no part of it."""
    assert only(DAY, [score(80, 8)]).flagged == estimate([responses(0.05, 80, 8)], 0.95)


def test_bounds_take_the_unknown_both_ways() -> None:
    """Pending, unscored, rejected and dropped are unknown; not applicable, duplicate and sampled out are not."""
    bucket = only(DAY, [score(80, 8)])
    assert (bucket.bound_low, bucket.bound_high) == pytest.approx((8 / 100, 28 / 100))


def test_fingerprints_are_separate_series() -> None:
    """Scores of two fingerprints are never mixed; what the other one scored stays unknown to each."""
    states = [state("scored", 30)]
    rows = [score(20, 2, fingerprint="f2"), score(10, 5, fingerprint="f1")]
    one, two = every(states, rows)
    assert [(b.fingerprint, b.flagged.rate, b.counts.scored, b.counts.scored_by_others) for b in (one, two)] == [
        ("f1", 0.5, 10, 20),
        ("f2", 0.1, 20, 10),
    ]
    assert (one.bound_low, one.bound_high) == pytest.approx((5 / 30, 25 / 30))


def test_sample_scored_under_two_fingerprints_is_known_to_both() -> None:
    """Scored again by a new model, a sample counts in both series and is unknown to neither."""
    rows = [score(10, 1, fingerprint="f1"), score(10, 2, fingerprint="f2")]
    one, two = every([state("scored", 10)], rows)
    assert [(b.counts.submitted, b.counts.scored, b.bound_low, b.bound_high) for b in (one, two)] == [
        (10, 10, pytest.approx(0.1), pytest.approx(0.1)),
        (10, 10, pytest.approx(0.2), pytest.approx(0.2)),
    ]


def test_probabilities_are_weighted() -> None:
    """Samples of two strata are weighted by what each stands for."""
    states = [state("scored", 10, inclusion_probability=0.01), state("scored", 100, inclusion_probability=0.1)]
    rows = [score(10, 2, inclusion_probability=0.01), score(100, 0, inclusion_probability=0.1)]
    assert only(states, rows).flagged.rate == pytest.approx(0.1)


def test_nothing_scored_is_null() -> None:
    """A bucket without scores has counts, and null for every rate; it has no fingerprint."""
    bucket = only([state("sampled_out", 40), state("not_applicable", 2)], [])
    assert (bucket.fingerprint, bucket.flagged, bucket.bound_low, bucket.bound_high) == (None, NOTHING, None, None)
    assert bucket.counts.submitted == 42


def test_all_unknown_is_null_between_zero_and_one() -> None:
    """While everything is pending the rate is null, and may be anything."""
    bucket = only([state("pending", 3)], [])
    assert (bucket.flagged, bucket.bound_low, bucket.bound_high) == (NOTHING, 0.0, 1.0)


def test_nothing_submitted_makes_no_bucket() -> None:
    """A stretch without traffic has no bucket."""
    assert every([], []) == []


def test_claims_have_no_bounds() -> None:
    """How many claims an unscored response has is not known, so claim rates have no bounds."""
    sums = Sums(
        number=10, claims=40, claims_flagged=3, claims_flagged_squares=5, claims_products=14, claims_squares=170
    )
    row = ScoreRow(bucket=0, group=(), fingerprint="f1", inclusion_probability=0.05, sums=sums)
    bucket = only([state("scored", 10), state("pending", 2)], [row], Unit.CLAIM)
    assert (bucket.bound_low, bucket.bound_high, bucket.counts.scored) == (None, None, 10)
    assert bucket.flagged.rate == pytest.approx(3 / 40)


def test_buckets_in_order_of_time_and_group() -> None:
    """Buckets come in order of time, then group; empty ones are left out."""
    places = [(1, ("b",)), (0, ("b",)), (0, ("a",))]
    states = [state("sampled_out", 1, bucket=bucket, group=group) for bucket, group in places]
    found = every(states, [], of=stretch("release"))
    assert [(bucket.start, bucket.group["release"]) for bucket in found] == [
        (START, "a"),
        (START, "b"),
        (START + timedelta(hours=1), "b"),
    ]


def test_last_bucket_ends_with_the_stretch() -> None:
    """A width that does not divide the stretch leaves a shorter last bucket."""
    (bucket,) = every([state("pending", 1, bucket=1)], [], of=stretch(width_s=5_400))
    assert (bucket.start, bucket.end) == (START + timedelta(minutes=90), START + timedelta(hours=2))


def test_group_that_was_not_given_is_null() -> None:
    """A field that a caller left out is null in the group, not an empty text."""
    states = [state("pending", 1, group=("", "support"))]
    (bucket,) = every(states, [], of=stretch("release", "route"))
    assert bucket.group == {"release": None, "route": "support"}
