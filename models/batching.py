"""The batch: pairs of like length that a model reads together."""

from collections.abc import Sequence
from dataclasses import dataclass

# Lengths to which pairs are padded. A pair's padded length follows from the pair alone, never from its neighbours,
# so that neither does its score.
PADDED_LENGTHS = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)


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


def make_batches(lengths: Sequence[int], token_budget: int) -> list[Batch]:
    """Each position exactly once, in batches of one padded length and at most `token_budget` padded tokens.

    A batch holds at least one pair, however small the budget. Longest first, so that the most memory is asked for at
    once. Raises ValueError for a length that no padded length holds.
    """
    buckets: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        buckets.setdefault(padded_length(length), []).append(index)
    batches: list[Batch] = []
    for bucket in sorted(buckets, reverse=True):
        indices, size = buckets[bucket], max(1, token_budget // bucket)
        batches.extend(
            Batch(indices=tuple(indices[at : at + size]), padded_length=bucket) for at in range(0, len(indices), size)
        )
    return batches
