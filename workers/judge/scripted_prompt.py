"""What a scripted endpoint reads of a request: a prompt to a judge by its delimiters, or else one to a generator."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

_OPENS = re.compile(
    r"^<<<(?P<label>CONTEXT|QUESTION|RESPONSE|CLAIM)(?: (?P<index>\d+))? (?P<nonce>[0-9a-f]{32})>>>$", re.MULTILINE
)
_NONCE = re.compile(r"^Nonce: ([0-9a-f]{32})\b", re.MULTILINE)

_NUMBERS = ("temperature", "seed", "n", "max_tokens", "max_completion_tokens")


class NotARequestError(Exception):
    """The body asks for no chat completion; the message says why, in words for whoever sent it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """A prompt to a judge, by its delimiters."""

    nonce: str  # that the reply must carry: the delimiters', or the newer one of a request for a repair
    asked_in: int  # which of the messages it was read from has the delimiters
    contexts: dict[int, str]  # by the number that the prompt gives each
    question: str | None
    response: str
    claims: dict[int, str]

    @classmethod
    def read(cls, messages: Sequence[str]) -> Self | None:
        """The prompt among messages that are not the assistant's; None where no delimiter has a nonce that they tell.

        Foreign text may hold delimiters and nonces of its own. It stands within the prompt's, so the prompt's come
        first.
        """
        told = {nonce for each in messages for nonce in _NONCE.findall(each)}
        for place, text in enumerate(messages):
            nonce = next((found["nonce"] for found in _OPENS.finditer(text) if found["nonce"] in told), None)
            if nonce is not None:
                blocks = dict(_blocks(text, nonce))
                newer = [each for later in messages[place + 1 :] for each in _NONCE.findall(later)]
                return cls(
                    nonce=newer[-1] if newer else nonce,
                    asked_in=place,
                    contexts={index: block for (label, index), block in blocks.items() if label == "CONTEXT"},
                    question=next((block for (label, _), block in blocks.items() if label == "QUESTION"), None),
                    response=next((block for (label, _), block in blocks.items() if label == "RESPONSE"), ""),
                    claims={index: block for (label, index), block in blocks.items() if label == "CLAIM"},
                )
        return None

    @property
    def foreign(self) -> str:
        """All that is data in it: contexts, question, response; claims are parts of the response."""
        return "\n".join((*self.contexts.values(), self.question or "", self.response))


def _blocks(text: str, nonce: str) -> Iterator[tuple[tuple[str, int], str]]:
    """Label and number of each block, with its content; one without a number has 0."""
    at = 0
    while opened := _OPENS.search(text, at):
        at = opened.end()
        if opened["nonce"] != nonce:
            continue
        name = " ".join(part for part in (opened["label"], opened["index"], nonce) if part)
        end = text.find(f"\n<<<END {name}>>>", at)
        if end >= 0:
            yield (opened["label"], int(opened["index"] or 0)), text[at + 1 : end]
            at = end


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for chat completions."""

    model: str
    message: str  # the user's, whole: the one with the prompt in it, else the last
    everything: str  # the text of all messages
    prompt: Prompt | None  # None: a generator is asked
    choices: int
    seed: int | None
    most_tokens: int | None  # of one reply
    logprobs: bool
    schema: str | None  # the type that `response_format` names
    about: dict[str, Any] = field(default_factory=dict)  # what may be told of it: no text

    @property
    def foreign(self) -> str:
        """The text that says which sample this is about."""
        return self.everything if self.prompt is None else self.prompt.foreign

    @property
    def sample(self) -> str:
        """A digest of that text, 32 hexadecimal digits."""
        return hashlib.sha256(self.foreign.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def read_asked(body: Any) -> Asked:
    """The request of a decoded body. Raises NotARequestError."""
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list) or not body["messages"]:
        raise NotARequestError("`messages` must be a list with something in it")
    if body.get("stream"):
        raise NotARequestError("this endpoint does not stream")
    messages = [each for each in body["messages"] if isinstance(each, dict)]
    # The assistant's own words come back with a request for a repair, and hold what a bad reply held.
    given = [_text(each) for each in messages if each.get("role") != "assistant"]
    prompt = Prompt.read(given)
    users = [_text(each) for each in messages if each.get("role") == "user"]
    form = body.get("response_format")
    return Asked(
        model=str(body.get("model") or "scripted"),
        message=given[prompt.asked_in] if prompt is not None else (users or given or [""])[-1],
        everything="\n".join(_text(each) for each in messages),
        prompt=prompt,
        choices=min(_whole(body, "n") or 1, 128),
        seed=_whole(body, "seed"),
        most_tokens=_whole(body, "max_completion_tokens") or _whole(body, "max_tokens"),
        logprobs=body.get("logprobs") is True,
        schema=str(form.get("type")) if isinstance(form, dict) else None,
        about={name: body[name] for name in _NUMBERS if type(body.get(name)) in (int, float)},
    )


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _whole(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
