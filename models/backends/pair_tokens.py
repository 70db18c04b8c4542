"""The tokens of any Hugging Face model: its own fast tokenizer, and the way it joins a pair."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from models.backends.hub import Checkpoint
from models.tokens import Encoded, count, filler_tokens, pack
from models.types import EncodedPair, ModelError, TokenIds

# Raise with any change to how texts become tokens here: it is part of every fingerprint.
_RULES = "1"

# A window on its own may have this many tokens more than within its context, where a first word loses its space.
_SPARE = 2
_PROBES = (("one", "two three"), ("A first sentence.", "Another one!"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The special tokens around a pair, and the type of each token."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, int, int, int, int]  # before, window, between, claim, after

    def join(self, window: TokenIds, claim: TokenIds) -> EncodedPair:
        """The pair as one sequence."""
        parts = (pack(self.before), window, pack(self.between), claim, pack(self.after))
        types = zip(self.types, parts, strict=True)
        return EncodedPair(
            input_ids=b"".join(parts), token_type_ids=b"".join(bytes((of,)) * count(part) for of, part in types)
        )


class PairEncoder:
    """A checkpoint's tokenizer: a pair becomes what the tokenizer itself would make of it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Reads the checkpoint's tokenizer. Raises ModelError when there is none, or none that says where tokens are."""
        try:
            loaded = AutoTokenizer.from_pretrained(checkpoint.folder, trust_remote_code=False, local_files_only=True)
        except Exception as error:  # the libraries raise bare exceptions too
            raise ModelError(
                f"the tokenizer of {checkpoint.name} could not be loaded: give a folder with tokenizer.json ({error})"
            ) from error
        _require_usable(loaded, checkpoint.name)
        self._tokenizer: Tokenizer = loaded.backend_tokenizer
        # Padding is the batch's business, and a cut text would be scored as if it were whole.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # A text that spells a special token, such as "</s>", is text: the pair must end where we end it.
        self._tokenizer.encode_special_tokens = True
        self._unknown: int | None = loaded.unk_token_id
        self._reserved = frozenset(loaded.all_special_ids) - {self._unknown}
        self._fillers = filler_tokens(self._tokenizer, self._unknown)
        self._same = _same_words(self._tokenizer)
        self._layout = _read_layout(self._tokenizer, checkpoint.name)
        self.pad_id = int(loaded.pad_token_id)
        self.input_names = frozenset(str(name) for name in loaded.model_input_names)
        self.longest = int(loaded.model_max_length)
        described = (_RULES, self._tokenizer.to_str(), asdict(self._layout), self.pad_id, self._unknown)
        self._digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 of everything the loaded tokenizer does."""
        return self._digest

    @property
    def specials(self) -> int:
        """The special tokens, and what a window may grow by."""
        layout = self._layout
        return len(layout.before) + len(layout.between) + len(layout.after) + _SPARE

    @property
    def unknown(self) -> int | None:
        """The tokenizer's own."""
        return self._unknown

    @property
    def fillers(self) -> frozenset[int]:
        """Punctuation, what is unknown, and the function words of English."""
        return self._fillers

    def words(self, ids: Sequence[int]) -> frozenset[int]:
        """The ids but for the fillers, a word being the same with a space before it or a capital."""
        return frozenset(self._same[token] for token in ids if token not in self._fillers)

    def encode(self, text: str) -> Encoded:
        """All tokens of `text`, special tokens not included, each without the space that some tokenizers give it."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        starts: list[int] = []
        ends: list[int] = []
        reached = 0
        for first, last in encoding.offsets:
            word = text[first:last]
            bare = word.strip()
            start = first + len(word) - len(word.lstrip()) if bare else first
            reached = max(reached, start)
            starts.append(reached)
            ends.append(max(reached, start + len(bare) if bare else last))
        return Encoded(ids=self._plain(encoding.ids), starts=starts, ends=ends)

    def reread(self, text: str, ids: Sequence[int]) -> Sequence[int]:
        """The tokens of `text` alone: a first word has no space before it, which byte-level tokenizers tell apart."""
        alone = self._plain(self._tokenizer.encode(text, add_special_tokens=False).ids)
        return alone if len(alone) <= len(ids) + _SPARE else ids

    def join(self, window: TokenIds, claim: TokenIds) -> EncodedPair:
        """The pair with the tokenizer's own special tokens and types."""
        return self._layout.join(window, claim)

    def _plain(self, ids: list[int]) -> list[int]:
        """The ids without special ones, which SentencePiece vocabularies hold as pieces like any other."""
        if self._unknown is None or self._reserved.isdisjoint(ids):
            return ids
        return [self._unknown if token in self._reserved else token for token in ids]


def _same_words(tokenizer: Tokenizer) -> dict[int, int]:
    """For each token the first of those that stand for the same letters."""
    first: dict[str, int] = {}
    same: dict[int, int] = {}
    for piece, token in sorted(tokenizer.get_vocab().items(), key=lambda each: each[1]):
        same[token] = first.setdefault(piece.strip("Ġ▁ ").casefold(), token)
    return same


def _require_usable(loaded: Any, name: str) -> None:
    """Refuses a tokenizer that could not say where its tokens are, pad a batch, or tell one word from another."""
    if not loaded.is_fast:
        raise ModelError(f"the tokenizer of {name} has no fast form: give a folder with tokenizer.json")
    if loaded.pad_token_id is None:
        raise ModelError(f"the tokenizer of {name} has no padding token: choose another model")
    # Without its files the library makes one up that knows special tokens only.
    if set(loaded.backend_tokenizer.encode(*_PROBES[0]).ids) <= set(loaded.all_special_ids):
        raise ModelError(f"the tokenizer of {name} has no vocabulary: give a folder with tokenizer.json")


def _read_layout(tokenizer: Tokenizer, name: str) -> Layout:
    """How the tokenizer joins a pair. Raises ModelError when that is not two texts in order with tokens around them."""
    try:
        layout = _layout_of(tokenizer.encode(*_PROBES[0]))
        for window, claim in _PROBES:
            alone = [pack(tokenizer.encode(text, add_special_tokens=False).ids) for text in (window, claim)]
            whole = tokenizer.encode(window, claim)
            if layout.join(*alone) != EncodedPair(input_ids=pack(whole.ids), token_type_ids=bytes(whole.type_ids)):
                raise ValueError("it joins pairs in more than one way")  # noqa: TRY301 - one way out
    except ValueError as error:
        raise ModelError(f"the tokenizer of {name} cannot join a pair ({error}): this model cannot be used") from error
    return layout


def _layout_of(pair: Any) -> Layout:
    """The layout that one encoded pair shows."""
    owners, ids, types = pair.sequence_ids, pair.ids, pair.type_ids
    a, b = owners.index(0), owners.index(1)
    a_end, b_end = a + owners.count(0), b + owners.count(1)
    before, between, after = slice(0, a), slice(a_end, b), slice(b_end, len(ids))
    return Layout(
        before=tuple(ids[before]),
        between=tuple(ids[between]),
        after=tuple(ids[after]),
        types=(
            types[0],
            types[a],
            types[a_end],
            types[b],
            types[-1],
        ),
    )
