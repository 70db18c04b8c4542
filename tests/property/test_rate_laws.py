"""The laws of estimates, bounds and buckets."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.core.estimate import NOTHING, Cell, bounds, estimate, responses
from service.core.intervals import interval, wilson
from service.core.rates import Bucket, Counts, Question, make_buckets
from service.core.store.rates import Counted, ScoreRow, StateRow
from service.core.tables import Outcome, State
from tests.property.strategies import CELLS, CONFIDENCES, KNOWN_CELLS, LAW, RESPONSE_CELLS, stretches
from tests.unit.service.support import stretch

CLOSE = 1e-9


def buckets(rows: tuple[list[StateRow], list[ScoreRow]]) -> list[Bucket]:
    return make_buckets(Question(stretch=stretch("release")), Counted(states=rows[0], scores=rows[1]))


def places(counts: Counts) -> int:
    return sum(
        (
            counts.sampled_out,
            counts.rejected_overload,
            counts.dropped_by_client,
            counts.pending,
            counts.scored,
            counts.scored_by_others,
            counts.not_applicable,
            counts.unscored,
        )
    )


@LAW
@given(st.floats(0, 1), st.floats(0.01, 1e9), CONFIDENCES)
def test_interval_contains_the_rate(rate: float, n: float, confidence: float) -> None:
    """0 <= low <= rate <= high <= 1, for any rate, any n and any confidence."""
    low, high = wilson(rate, n, confidence)
    assert 0 <= low <= rate <= high <= 1


@LAW
@given(st.floats(0, 1), st.floats(0.1, 1e6), st.floats(1.01, 100), CONFIDENCES)
def test_more_units_are_no_wider(rate: float, n: float, times: float, confidence: float) -> None:
    """The interval of more units is never wider."""
    few, many = wilson(rate, n, confidence), wilson(rate, n * times, confidence)
    assert many[1] - many[0] <= few[1] - few[0] + CLOSE


@LAW
@given(CELLS, CONFIDENCES)
def test_estimate_lies_in_the_unit_interval(cells: list[Cell], confidence: float) -> None:
    """A rate and its interval lie in 0..1 in this order, or all are null because nothing was scored."""
    found = estimate(cells, confidence)
    if found.rate is None or found.low is None or found.high is None or found.effective_n is None:
        assert found == NOTHING
        assert not any(cell.m for cell in cells)
    else:
        assert 0 <= found.low <= found.rate <= found.high <= 1
        assert 0 < found.effective_n <= sum(cell.m for cell in cells) * (1 + CLOSE)


@LAW
@given(CELLS, st.sampled_from([0.5, 0.1, 0.003]))
def test_only_ratios_of_weights_count(cells: list[Cell], factor: float) -> None:
    """If every weight grows by one factor, the estimate and the bounds stay."""
    scaled = [replace(cell, inclusion_probability=cell.inclusion_probability * factor) for cell in cells]
    one, other = estimate(cells, 0.95), estimate(scaled, 0.95)
    assert (other.rate, other.low, other.high) == pytest.approx((one.rate, one.low, one.high), abs=1e-7)
    assert bounds(scaled) == pytest.approx(bounds(cells), abs=CLOSE)


@LAW
@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), CONFIDENCES)
def test_equal_weights_are_plain_wilson(seen: tuple[int, int], confidence: float) -> None:
    """With one inclusion probability the estimate is the plain share and the interval at n."""
    k, n = seen
    found = estimate([responses(0.05, n, k)], confidence)
    assert (found.rate, found.low, found.high) == pytest.approx((k / n, *interval(k / n, n, confidence)), abs=1e-7)


@LAW
@given(CELLS, CONFIDENCES)
def test_empty_cells_say_nothing(cells: list[Cell], confidence: float) -> None:
    """Cells without scores and unknowns change nothing."""
    more = [Cell(inclusion_probability=0.001), *cells]
    assert (estimate(more, confidence), bounds(more)) == (estimate(cells, confidence), bounds(cells))


@LAW
@given(RESPONSE_CELLS)
def test_bounds_contain_the_rate(cells: list[Cell]) -> None:
    """Whatever the unknown responses are, the sample's rate lies between the bounds."""
    low, high = bounds(cells)
    rate = estimate(cells, 0.95).rate
    assert (low is None) == (not any(cell.scored or cell.unknown for cell in cells))
    if low is not None and high is not None:
        assert -CLOSE <= low <= high <= 1 + CLOSE
        assert rate is None or low - CLOSE <= rate <= high + CLOSE


@LAW
@given(KNOWN_CELLS)
def test_bounds_collapse_when_nothing_is_unknown(cells: list[Cell]) -> None:
    """With nothing unknown both bounds are the rate."""
    rate = estimate(cells, 0.95).rate
    assume(rate is not None)
    assert bounds(cells) == pytest.approx((rate, rate), abs=CLOSE)


@LAW
@given(stretches())
def test_counts_add_up(rows: tuple[list[StateRow], list[ScoreRow]]) -> None:
    """Every submission of a place is counted once in each of its series; duplicates stand beside."""
    sent: dict[tuple[int, str], int] = {}
    for state in rows[0]:
        key = (state.bucket, state.group[0])
        sent[key] = sent.get(key, 0) + (state.submissions if state.outcome != Outcome.DUPLICATE else 0)
    for bucket in buckets(rows):
        key = (int((bucket.start - stretch().start).total_seconds()) // 3_600, bucket.group["release"] or "")
        assert bucket.counts.submitted == places(bucket.counts) == sent[key]


@LAW
@given(stretches())
def test_fingerprints_are_never_mixed(rows: tuple[list[StateRow], list[ScoreRow]]) -> None:
    """Each series counts the scores of its own fingerprint, all of them."""
    found = [(bucket.start, bucket.group["release"], bucket.fingerprint) for bucket in buckets(rows)]
    assert len(set(found)) == len(found)
    for fingerprint in ("f1", "f2"):
        series = [bucket.counts.scored for bucket in buckets(rows) if bucket.fingerprint == fingerprint]
        assert sum(series) == sum(row.sums.number for row in rows[1] if row.fingerprint == fingerprint)


@LAW
@given(stretches())
def test_null_exactly_where_nothing_is_scored(rows: tuple[list[StateRow], list[ScoreRow]]) -> None:
    """A bucket has a rate exactly if it has a fingerprint; then its bounds contain the rate."""
    for bucket in buckets(rows):
        rate, low, high = bucket.flagged.rate, bucket.bound_low, bucket.bound_high
        assert (bucket.fingerprint is None) == (rate is None) == (bucket.counts.scored == 0)
        if rate is not None and low is not None and high is not None:
            assert low - CLOSE <= rate <= high + CLOSE


@LAW
@given(stretches())
def test_only_what_is_unknown_opens_the_bounds(rows: tuple[list[StateRow], list[ScoreRow]]) -> None:
    """The bounds are apart exactly where something is pending, unscored, rejected, dropped or scored by others."""
    for bucket in buckets(rows):
        counts = bucket.counts
        unknown = counts.pending + counts.unscored + counts.rejected_overload + counts.dropped_by_client
        unknown += counts.scored_by_others
        if bucket.bound_low is not None and bucket.bound_high is not None:
            assert (bucket.bound_high - bucket.bound_low > CLOSE) == (unknown > 0)
        else:
            assert counts.scored + unknown == 0


def test_states_and_outcomes_are_apart() -> None:
    """A word means either a state of a sample or an outcome without one, so that their counts can be added."""
    assert {state.value for state in State} & {outcome.value for outcome in Outcome} == set()
