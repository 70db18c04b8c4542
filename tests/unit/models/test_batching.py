"""Batches: one padded length each, within the budget."""

import pytest

from models.batching import PADDED_LENGTHS, make_batches, padded_length


def test_padded_length_is_the_next_bucket() -> None:
    """A length is padded to the smallest bucket that holds it."""
    assert [padded_length(length) for length in (1, 32, 33, 512)] == [32, 32, 48, 512]


def test_too_long_is_refused() -> None:
    """Nothing is cut to fit."""
    with pytest.raises(ValueError, match="513 tokens"):
        padded_length(PADDED_LENGTHS[-1] + 1)


def test_batch_holds_at_least_one() -> None:
    """A budget below one pair still makes progress."""
    assert [batch.indices for batch in make_batches([500, 500], 10)] == [(0,), (1,)]
