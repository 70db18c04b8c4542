"""The chat: a conversation in the tokens of a model's own chat template.

The template is rendered with placeholders, so that it never sees what is said: its text is ours, and may write control
tokens; what is said is others', and may not (see causal_guard.py).
"""

import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from transformers import AutoTokenizer

from models.backends.causal import Said
from models.backends.causal_guard import GuardedTokenizer
from models.backends.hub import Checkpoint
from models.types import ModelError

# Raise with any change to how conversations become tokens here: it is part of the digest.
_RULES = "1"

# For templates that know them: what a judge thinks stands in its reply, and the day is no part of what it is asked.
_VARIABLES = {"enable_thinking": False, "date_string": "26 Jul 2024"}

_ASKED = ("system", "user")
_ASKED_AGAIN = ("system", "user", "assistant", "user")


class _RefusedError(Exception):
    """The template does not take these roles, or leaves out what is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """The template's own text around the messages of some roles."""

    pieces: tuple[str, ...]  # one more than messages
    controls: int  # control tokens in them

    def fill(self, contents: Sequence[str]) -> str:
        """With what is said in its places."""
        parts = [self.pieces[0]]
        for content, piece in zip(contents, self.pieces[1:], strict=True):
            parts += content, piece
        return "".join(parts)


class ChatEncoder:
    """A tokenizer with its chat template."""

    def __init__(self, tokenizer: Any, name: str) -> None:
        """Of the Hugging Face tokenizer of the model `name`. Raises ModelError where it cannot hold a conversation."""
        _require_usable(tokenizer, name)
        self._tokenizer = tokenizer
        self._name = name
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = False
        self.longest = int(tokenizer.model_max_length)
        self.end: int | None = tokenizer.eos_token_id
        # What is unknown may be anywhere in a text, unless the same token has a meaning of its own.
        unknown = {tokenizer.unk_token_id} - {tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id}
        self._guard = GuardedTokenizer(self._backend, name, frozenset(unknown - {None}))
        self._layout = cache(self._read_layout)
        self._folds = not (self._takes(_ASKED) and self._takes(_ASKED_AGAIN))
        for roles in (_ASKED, _ASKED_AGAIN):
            self._require(self._folded(roles, [""] * len(roles))[0])
        described = (_RULES, self._backend.to_str(), tokenizer.get_chat_template(), _VARIABLES, self._folds)
        self.digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    @property
    def role_marks(self) -> str:
        """`tokens` if control tokens set messages apart, `text` if only words do, which a text can hold too."""
        inner = self._layout(self._folded(_ASKED_AGAIN, [""] * 4)[0]).pieces[1:]
        return "tokens" if all(self._guard.count(piece) for piece in inner) else "text"

    def encode(self, conversation: Sequence[Said]) -> list[int]:
        """The token ids of the prompt, up to where the reply begins. Raises ModelError for roles that are refused."""
        # Half a surrogate pair is no text to the tokenizer, and must not fail the conversations beside it.
        contents = [message.content.strip().encode("utf-8", "replace").decode("utf-8") for message in conversation]
        roles, contents = self._folded([message.role for message in conversation], contents)
        layout = self._require(roles)
        return self._guard.encode(layout.fill(contents), layout.controls)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of a reply, without special tokens."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _folded(self, roles: Sequence[str], contents: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
        """With the system's words at the head of the user's first, for a template that knows no system."""
        if not self._folds or tuple(roles[:2]) != _ASKED:
            return tuple(roles), list(contents)
        return tuple(roles[1:]), ["\n\n".join(contents[:2]), *contents[2:]]

    def _takes(self, roles: tuple[str, ...]) -> bool:
        try:
            self._layout(roles)
        except _RefusedError:
            return False
        return True

    def _require(self, roles: tuple[str, ...]) -> _Layout:
        try:
            return self._layout(roles)
        except _RefusedError as error:
            raise ModelError(
                f"the chat template of {self._name} takes no conversation of {', '.join(roles)} ({error}): "
                "choose another instruction-tuned model"
            ) from error

    def _read_layout(self, roles: tuple[str, ...]) -> _Layout:
        secret = secrets.token_hex(16)
        said = [{"role": role, "content": f"m{secret}n{index}m"} for index, role in enumerate(roles)]
        try:
            rendered = self._tokenizer.apply_chat_template(
                said, tokenize=False, add_generation_prompt=True, **_VARIABLES
            )
        except Exception as error:  # a template raises what it likes
            raise _RefusedError(f"{type(error).__name__}: {error}") from error
        parts = re.split(rf"m{secret}n(\d+)m", rendered)
        if parts[1::2] != [str(index) for index in range(len(roles))]:
            raise _RefusedError("it leaves out, repeats or moves what is said")
        pieces = tuple(self._guard.written(piece) for piece in parts[::2])
        return _Layout(pieces=pieces, controls=sum(map(self._guard.count, pieces)))


def read_chat(checkpoint: Checkpoint) -> ChatEncoder:
    """The checkpoint's tokenizer and chat template. Raises ModelError."""
    try:
        loaded = AutoTokenizer.from_pretrained(checkpoint.folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the libraries raise bare exceptions too
        raise ModelError(
            f"the tokenizer of {checkpoint.name} could not be loaded: give a folder with tokenizer.json ({error})"
        ) from error
    return ChatEncoder(loaded, checkpoint.name)


def _require_usable(tokenizer: Any, name: str) -> None:
    if not tokenizer.is_fast:
        raise ModelError(f"the tokenizer of {name} has no fast form: give a folder with tokenizer.json")
    try:
        tokenizer.get_chat_template()
    except ValueError as error:
        raise ModelError(
            f"{name} has no chat template, so that nobody knows how it is asked: choose a model that was tuned to follow "
            "instructions, or give a folder with its chat_template.jinja"
        ) from error
    probe = tokenizer.backend_tokenizer.encode("one two", add_special_tokens=False).ids
    # Without its files the library makes one up that knows special tokens only.
    if set(probe) <= set(tokenizer.all_special_ids):
        raise ModelError(f"the tokenizer of {name} has no vocabulary: give a folder with tokenizer.json")
