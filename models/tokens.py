"""The token: what the model reads of a text, and which characters each token stands for."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from models.phrases import FUNCTION_WORDS
from models.types import EncodedPair, ModelError, TokenIds

_SUBWORD_MARKS = "#Ġ▁ "


def pack(ids: Iterable[int]) -> TokenIds:
    """The ids as int32."""
    return array("i", ids).tobytes()


def unpack(ids: TokenIds) -> Sequence[int]:
    """The ids as numbers."""
    return array("i", ids)


def count(ids: TokenIds) -> int:
    """How many ids there are."""
    return len(ids) // array("i").itemsize


def filler_tokens(tokenizer: Tokenizer, unknown: int | None) -> frozenset[int]:
    """The ids that say nothing of what a text is about: punctuation, unknown words and the function words of English.

    Those of other languages count as content, which costs pairs and loses nothing.
    """
    words = {form for word in FUNCTION_WORDS for form in (word, word.capitalize())}
    return frozenset(
        token
        for piece, token in tokenizer.get_vocab().items()
        if token == unknown or (bare := piece.strip(_SUBWORD_MARKS)) in words or not any(map(str.isalnum, bare))
    )


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

    @property
    def unknown(self) -> int | None:
        """The id of what the vocabulary does not have; None where it has all."""

    @property
    def fillers(self) -> frozenset[int]:
        """Ids that say nothing of what a text is about, such as those of function words and of punctuation."""

    def words(self, ids: Sequence[int]) -> frozenset[int]:
        """What these tokens say of what a text is about: equal for equal words, wherever they stand."""

    def encode(self, text: str) -> Encoded:
        """All tokens of `text`; nothing is cut off."""

    def reread(self, text: str, ids: Sequence[int]) -> Sequence[int]:
        """The tokens of a window on its own; `ids` are those that its text has within its context."""

    def join(self, window: TokenIds, claim: TokenIds) -> EncodedPair:
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
        # A text that spells a special token, such as "[SEP]", is text: the pair must end where we end it.
        self._tokenizer.encode_special_tokens = True
        self._digest = hashlib.sha256(source.encode()).hexdigest()
        first, separator = self._tokenizer.token_to_id("[CLS]"), self._tokenizer.token_to_id("[SEP]")
        if first is None or separator is None:
            raise ModelError(f"{path} has no [CLS] and [SEP]: only BERT-style tokenizers can be used")
        self._first, self._separator = pack([first]), pack([separator])
        self._unknown = self._tokenizer.token_to_id("[UNK]")
        self._fillers = filler_tokens(self._tokenizer, self._unknown)

    @property
    def digest(self) -> str:
        """SHA-256 of the tokenizer's file."""
        return self._digest

    @property
    def specials(self) -> int:
        """[CLS] and two [SEP]."""
        return 3

    @property
    def unknown(self) -> int | None:
        """[UNK]."""
        return self._unknown

    @property
    def fillers(self) -> frozenset[int]:
        """Punctuation, [UNK] and the function words of English."""
        return self._fillers

    def words(self, ids: Sequence[int]) -> frozenset[int]:
        """The ids but for the fillers: WordPiece reads a word alike wherever it stands."""
        return frozenset(ids) - self._fillers

    def encode(self, text: str) -> Encoded:
        """All tokens of `text`, special tokens not included."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        offsets = encoding.offsets
        return Encoded(ids=encoding.ids, starts=[start for start, _ in offsets], ends=[end for _, end in offsets])

    def reread(self, text: str, ids: Sequence[int]) -> Sequence[int]:
        """The same: but for a word that is cut, WordPiece reads a word alike wherever it stands."""
        del text
        return ids

    def join(self, window: TokenIds, claim: TokenIds) -> EncodedPair:
        """[CLS] window [SEP] claim [SEP]."""
        return EncodedPair(
            input_ids=self._first + window + self._separator + claim + self._separator,
            token_type_ids=bytes(count(window) + 2) + b"\1" * (count(claim) + 1),
        )
