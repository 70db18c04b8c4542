"""Batches: one padded length each, within the budget, in few shapes."""

import pytest

from models.batching import PADDED_LENGTHS, make_batches, padded_length, row_counts


def test_padded_length_is_the_next_bucket() -> None:
    """A length is padded to the smallest bucket that holds it."""
    assert [padded_length(length) for length in (1, 32, 33, 512)] == [32, 32, 40, 512]


def test_too_long_is_refused() -> None:
    """Nothing is cut to fit."""
    with pytest.raises(ValueError, match="513 tokens"):
        padded_length(PADDED_LENGTHS[-1] + 1)


def test_batch_holds_at_least_one() -> None:
    """A budget below one pair still makes progress."""
    assert [batch.indices for batch in make_batches([500, 500], 10)] == [(0,), (1,)]


def test_shapes_are_few() -> None:
    """All that a runtime ever sees of a padded length are a few numbers of rows, whatever comes."""
    assert row_counts(64, 1024) == (16, 4, 1)
    seen = {
        (batch.padded_length, len(batch.indices))
        for pairs in range(1, 80)
        for batch in make_batches([60] * pairs, 1024, lanes=2)
    }
    assert seen == {(64, 16), (64, 4), (64, 1)}


def test_few_pairs_are_spread_over_the_lanes() -> None:
    """No lane idles while another reads several pairs; many pairs come in full batches all the same."""
    assert len(make_batches([60] * 4, 1024, lanes=1)) == 1
    assert len(make_batches([60] * 4, 1024, lanes=4)) == 4
    assert len(make_batches([60] * 64, 1024, lanes=4)) == 4


def test_a_runtime_that_need_not_prepare_gets_full_batches() -> None:
    """One batch holds what fits, and one more the rest."""
    batches = make_batches([60] * 37, 1024, any_rows=True)
    assert [len(batch.indices) for batch in batches] == [16, 16, 5]
    assert [len(batch.indices) for batch in make_batches([60] * 7, 1024, any_rows=True)] == [7]
