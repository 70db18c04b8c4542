"""The matrix: pairs of one padded length as the arrays that a model takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.types import EncodedPair


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """One row per pair, int64: what every runtime takes for token ids."""

    input_ids: Any
    attention_mask: Any  # 1 where there is a token
    token_type_ids: Any

    def named(self) -> dict[str, Any]:
        """The arrays by the names that models give their inputs."""
        return {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "token_type_ids": self.token_type_ids,
        }


def make_matrix(pairs: Sequence[EncodedPair], length: int, pad_id: int = 0) -> Matrix:
    """The pairs, none longer than `length`, padded to it."""
    shape = (len(pairs), length)
    lengths = np.fromiter((pair.length for pair in pairs), dtype=np.int64, count=len(pairs))
    mask = np.arange(length) < lengths[:, None]
    ids = np.full(shape, pad_id, dtype=np.int64)
    types = np.zeros(shape, dtype=np.int64)
    # In order of rows, which is how a mask is filled: one copy for the whole matrix.
    ids[mask] = np.frombuffer(b"".join(pair.input_ids for pair in pairs), dtype=np.int32)
    types[mask] = np.frombuffer(b"".join(pair.token_type_ids for pair in pairs), dtype=np.uint8)
    return Matrix(input_ids=ids, attention_mask=mask.astype(np.int64), token_type_ids=types)
