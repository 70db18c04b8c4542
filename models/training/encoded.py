"""The encoded pass: the token ids of many pairs, close together, and batches of them on the device that learns."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from models.training.examples import Example

_CHUNK = 20_000  # pairs that are tokenised together
_EVEN = 8  # lengths are rounded up to a multiple of it: fewer shapes, and the ones that a GPU likes
_POOL = 4096  # examples that are sorted by length together


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """Pairs as token ids, one behind the other, and what is known of each."""

    ids: Any  # uint16, of shape (tokens of all pairs,)
    starts: Any  # int64, of shape (pairs + 1,): where each pair begins, and where the last one ends
    seconds: Any  # int64, of shape (pairs,): tokens of a pair before its hypothesis
    targets: Any  # int64, of shape (pairs,): a `Target`

    @property
    def lengths(self) -> list[int]:
        """Tokens of each pair."""
        lengths: list[int] = np.diff(self.starts).tolist()
        return lengths


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, mask and types of shape (pairs, tokens), targets of shape (pairs,)."""

    ids: torch.Tensor
    mask: torch.Tensor
    types: torch.Tensor
    targets: torch.Tensor


class Loaded:
    """A pass on a device."""

    def __init__(self, encoded: Encoded, device: torch.device) -> None:
        self._ids = torch.from_numpy(encoded.ids.astype(np.int32)).to(device)
        self._starts = torch.from_numpy(encoded.starts).to(device)
        self._seconds = torch.from_numpy(encoded.seconds).to(device)
        self._targets = torch.from_numpy(encoded.targets).to(device)
        self._lengths = encoded.lengths
        self._device = device

    def batch(self, positions: Sequence[int]) -> Batch:
        """The pairs at these positions, padded to the longest of them."""
        at = torch.tensor(positions, device=self._device)
        longest = max(self._lengths[position] for position in positions)
        column = torch.arange(-(-longest // _EVEN) * _EVEN, device=self._device)
        first = self._starts[at].unsqueeze(1)
        mask = column < self._starts[at + 1].unsqueeze(1) - first
        where = (first + column).clamp(max=len(self._ids) - 1)
        ids = torch.where(mask, self._ids[where], 0).long()
        types = (mask & (column >= self._seconds[at].unsqueeze(1))).long()
        return Batch(ids, mask.long(), types, self._targets[at])


def read_tokenizer(folder: Path, max_length: int) -> Tokenizer:
    """The checkpoint's tokenizer; longer pairs are cut."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    return tokenizer


def encode(examples: Sequence[Example], tokenizer: Tokenizer) -> Encoded:
    """The examples, at least one, in their order."""
    pieces, lengths, seconds = [], [], []
    for first in range(0, len(examples), _CHUNK):
        part = [(example.premise, example.hypothesis) for example in examples[first : first + _CHUNK]]
        for encoding in tokenizer.encode_batch(part):
            ids = encoding.ids
            pieces.append(np.array(ids, dtype=np.uint16))
            lengths.append(len(ids))
            seconds.append(len(ids) - sum(encoding.type_ids))
    return Encoded(
        ids=np.concatenate(pieces),
        starts=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        seconds=np.array(seconds, dtype=np.int64),
        targets=np.array([example.target.value for example in examples], dtype=np.int64),
    )


def order(lengths: Sequence[int], batch_tokens: int, seed: str) -> list[list[int]]:
    """Positions as batches of like lengths, each of at most `batch_tokens` with its padding, in a drawn order."""
    draw = random.Random(seed)  # noqa: S311 (a draw, no secret)
    shuffled = list(range(len(lengths)))
    draw.shuffle(shuffled)
    batches: list[list[int]] = []
    for at in range(0, len(shuffled), _POOL):
        batch: list[int] = []
        for position in sorted(shuffled[at : at + _POOL], key=lambda position: -lengths[position]):
            if batch and (len(batch) + 1) * lengths[batch[0]] > batch_tokens:
                batches.append(batch)
                batch = []
            batch.append(position)
        batches.append(batch)
    draw.shuffle(batches)
    return batches
