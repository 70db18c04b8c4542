"""The batch: pairs of like length that a model reads together, in few shapes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Lengths to which pairs are padded. A pair's padded length follows from the pair alone, never from its neighbours,
# so that neither does its score.
PADDED_LENGTHS = (32, 40, 48, 56, 64, 80, 96, 128, 192, 256, 384, 512)
_ROW_STEP = 4  # between the numbers of rows that a batch may have


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Positions of pairs to be read together and the length to which each is padded."""

    indices: tuple[int, ...]
    padded_length: int


def padded_length(length: int) -> int:
    """The smallest of the padded lengths that holds `length` tokens. Raises ValueError for more than the longest."""
    for bucket in PADDED_LENGTHS:
        if length <= bucket:
            return bucket
    raise ValueError(f"{length} tokens are more than the longest padded length, {PADDED_LENGTHS[-1]}")


def row_counts(length: int, token_budget: int) -> tuple[int, ...]:
    """How many rows a batch of that padded length may have, largest first; the last is 1.

    Few, since a runtime prepares itself for each shape.
    """
    most = max(1, token_budget // length)
    counts = [most]
    while counts[-1] > 1:
        counts.append(max(1, counts[-1] // _ROW_STEP))
    return tuple(counts)


def make_batches(lengths: Sequence[int], token_budget: int, lanes: int = 1, *, any_rows: bool = False) -> list[Batch]:
    """Each position exactly once, in batches of one padded length and at most `token_budget` padded tokens.

    A batch holds at least one pair, however small the budget. Longest first, so that the most memory is asked for at
    once. Few pairs are spread over as many batches as there are `lanes` that read at the same time. `any_rows` is for a
    runtime that need not prepare itself: a batch then has as many rows as fit. Raises ValueError for a length that no
    padded length holds.
    """
    buckets: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        buckets.setdefault(padded_length(length), []).append(index)
    batches: list[Batch] = []
    share = sum(bucket * len(indices) for bucket, indices in buckets.items()) // lanes
    for bucket in sorted(buckets, reverse=True):
        counts = row_counts(bucket, token_budget)
        if any_rows:
            counts = (counts[0], len(buckets[bucket]) % counts[0] or 1)
        fitting = [rows for rows in counts if rows * bucket <= share] or [1]
        batches += [Batch(indices=tuple(part), padded_length=bucket) for part in _parts(buckets[bucket], fitting)]
    return batches


def _parts(indices: Sequence[int], counts: Sequence[int]) -> Iterator[Sequence[int]]:
    """The indices in parts of those sizes, as large ones as there are."""
    at = 0
    for rows in counts:
        while len(indices) - at >= rows:
            yield indices[at : at + rows]
            at += rows
