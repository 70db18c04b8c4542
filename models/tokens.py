"""The token: what the model reads of a text, and which characters each token stands for."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from models.types import EncodedPair, ModelError


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """The tokens of one text, without special tokens; the three sequences are equally long.

    `starts` and `ends` are code points of the text and never decrease. A text of nothing the tokenizer can read
    (blanks, control characters) has no tokens.
    """

    ids: Sequence[int]
    starts: Sequence[int]
    ends: Sequence[int]


class Encoder(Protocol):
    """Turns text into tokens and tokens into the model's input."""

    @property
    def digest(self) -> str:
        """Identifies the vocabulary and its rules."""

    @property
    def specials(self) -> int:
        """Tokens of a pair to keep free beside the window and the claim: special ones, and what `reread` may add."""

    def encode(self, text: str) -> Encoded:
        """All tokens of `text`; nothing is cut off."""

    def reread(self, text: str, ids: Sequence[int]) -> Sequence[int]:
        """The tokens of a window on its own; `ids` are those that its text has within its context."""

    def join(self, window: Sequence[int], claim: Sequence[int]) -> EncodedPair:
        """The pair as the model was trained to read it: window first, claim second."""


class WordPieceEncoder:
    """A Hugging Face `tokenizer.json` that joins a pair as [CLS] window [SEP] claim [SEP], types 0 and 1."""

    def __init__(self, path: Path) -> None:
        """Reads the tokenizer at `path`. Raises ModelError when it is missing or has no [CLS] and [SEP]."""
        try:
            source = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ModelError(f"no tokenizer at {path}: give the folder that models.training.export wrote") from error
        self._tokenizer = Tokenizer.from_str(source)
        # Padding is the batch's business, and a cut text would be scored as if it were whole.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._digest = hashlib.sha256(source.encode()).hexdigest()
        first, separator = self._tokenizer.token_to_id("[CLS]"), self._tokenizer.token_to_id("[SEP]")
        if first is None or separator is None:
            raise ModelError(f"{path} has no [CLS] and [SEP]: only BERT-style tokenizers can be used")
        self._first, self._separator = int(first), int(separator)

    @property
    def digest(self) -> str:
        """SHA-256 of the tokenizer's file."""
        return self._digest

    @property
    def specials(self) -> int:
        """[CLS] and two [SEP]."""
        return 3

    def encode(self, text: str) -> Encoded:
        """All tokens of `text`, special tokens not included."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        offsets = encoding.offsets
        return Encoded(ids=encoding.ids, starts=[start for start, _ in offsets], ends=[end for _, end in offsets])

    def reread(self, text: str, ids: Sequence[int]) -> Sequence[int]:
        """The same: but for a word that is cut, WordPiece reads a word alike wherever it stands."""
        del text
        return ids

    def join(self, window: Sequence[int], claim: Sequence[int]) -> EncodedPair:
        """[CLS] window [SEP] claim [SEP]."""
        return EncodedPair(
            input_ids=(self._first, *window, self._separator, *claim, self._separator),
            token_type_ids=(0,) * (len(window) + 2) + (1,) * (len(claim) + 1),
        )
