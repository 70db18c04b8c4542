"""The guarded tokenizer: control tokens that only we can write, so that no text of others becomes one.

A tokenizer finds its control tokens, such as `<|im_end|>`, by their spelling, wherever it stands. Here it is copied with
each of them under another name, made of a secret that nobody else knows: what we write ourselves names them by it, and
what others spell as before is split into ordinary pieces, letter for letter. Everything else is the tokenizer's own.
"""

import json
import secrets
from typing import Any

from tokenizers import Tokenizer

from models.types import ModelError

_SECRET_BYTES = 16
_BLANKS = " \t\r\n\u2581"  # the last is what SentencePiece writes for a space


class GuardedTokenizer:
    """A tokenizer for text of which only parts are our own."""

    def __init__(self, tokenizer: Tokenizer, name: str, silent: frozenset[int] = frozenset()) -> None:
        """Copies the tokenizer.

        Args:
            tokenizer: of the model `name`; not to be changed afterwards.
            name: for errors.
            silent: control tokens that text of others may become: what stands for unknown pieces.

        Raises:
            ModelError: it cannot be copied so.
        """
        self._original = tokenizer
        self._name = name
        self._secret = secrets.token_hex(_SECRET_BYTES)
        described = json.loads(tokenizer.to_str())
        added = described["added_tokens"]
        # Runs of blanks steer nothing, and text is full of them.
        controls = [token for token in added if token["special"] or token["content"].strip(_BLANKS)]
        ids = {token["content"]: int(token["id"]) for token in added}
        self._names = {int(token["id"]): f"<{self._secret}.{token['id']}>" for token in controls}
        renamed = {token["content"]: self._names[int(token["id"])] for token in controls}
        try:
            self._guarded = Tokenizer.from_str(json.dumps(_renamed(described, renamed)))
        except Exception as error:  # the library raises bare exceptions
            raise ModelError(
                f"the tokenizer of {name} cannot be guarded against control tokens in texts ({error}): choose another model"
            ) from error
        if any(self._guarded.token_to_id(renamed.get(content, content)) != token for content, token in ids.items()):
            raise ModelError(f"the tokenizer of {name} numbers its control tokens by their names: choose another model")
        self._counted = frozenset(self._names) - silent

    def written(self, own: str) -> str:
        """Text of our own as `encode` wants it: with the control tokens that it spells under their secret names."""
        encoding = self._original.encode(own, add_special_tokens=False)
        parts: list[str] = []
        reached = 0
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            if token in self._names and start >= reached and end > start:
                parts += own[reached:start], self._names[token]
                reached = end
        return "".join([*parts, own[reached:]])

    def count(self, written: str) -> int:
        """The control tokens in text of our own."""
        return sum(written.count(self._names[token]) for token in self._counted) if self._secret in written else 0

    def encode(self, text: str, controls: int) -> list[int]:
        """The token ids of our own text, as written, with others' text in it as it is; no special tokens are added.

        Raises ModelError where it holds other than so many control tokens: somebody else's became one.
        """
        ids: list[int] = self._guarded.encode(text, add_special_tokens=False).ids
        if sum(token in self._counted for token in ids) != controls:
            raise ModelError(
                f"the tokenizer of {self._name} makes control tokens of ordinary text: choose another model"
            )
        return ids


def _renamed(described: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The tokenizer's description with other names for these tokens, which only their names lead to."""
    model = described["model"]
    for token in described["added_tokens"]:
        if token["content"] in names:
            token |= {
                "content": names[token["content"]],
                "normalized": False,
                "single_word": False,
                "lstrip": False,  # the white space that it takes is replaced with it
                "rstrip": False,
            }
    vocabulary = model["vocab"]
    # The pieces of the vocabulary as well: text could be made of those without any search for control tokens.
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(piece, piece): token for piece, token in vocabulary.items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if model.get("merges"):
        model["merges"] = [merge for merge in model["merges"] if names.keys().isdisjoint(_pieces(merge))]
    return described | {"post_processor": None, "truncation": None, "padding": None}


def _pieces(merge: str | list[str]) -> tuple[str, str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second, first + second
