"""The template of an HTTP target: what is sent for an item, and where in the answer its response is. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.core.errors import StartRefusedError
from service.core.golden.item import GoldenItem
from service.core.payload import ALIASES

QUESTION, CONTEXTS, ID = "{{question}}", "{{contexts}}", "{{id}}"
PLAIN: Mapping[str, Any] = {"question": QUESTION, "contexts": CONTEXTS}
RESPONSES = ("response", *ALIASES["response"])
CHAT_PATH = "choices.0.message.content"
CHAT_INSTRUCTION = (
    "Answer the question by the passages below and by nothing else. Where they do not tell, say that they do not."
)


class NoResponseError(Exception):
    """An answer has no response where one should be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """How one item becomes a request's JSON body, and its answer a response.

    A value that is a placeholder as a whole becomes what it stands for, contexts as a list of texts. Within a longer text it
    becomes text, contexts with an empty line between them. It is JSON first and filled in after, so that no text of an item
    can change its shape.
    """

    body: Any
    response: tuple[str, ...] = ()  # names and positions on the way to the response; empty: one of RESPONSES

    def fill(self, item: GoldenItem) -> Any:
        """The body for an item."""
        texts = [context.text for context in item.contexts]
        return _filled(self.body, {QUESTION: item.question or "", CONTEXTS: texts, ID: item.id})

    def read(self, document: Any) -> str:
        """The response in an answer. Raises NoResponseError."""
        if self.response:
            return _text(_walk(document, self.response))
        if isinstance(document, str):
            return document
        if isinstance(document, dict):
            for name in RESPONSES:
                if isinstance(document.get(name), str):
                    return str(document[name])
        raise NoResponseError


def read_template(text: str, response: str) -> Template:
    """A template as it is given on the command line. Raises StartRefusedError."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StartRefusedError(
            f"The request template is not JSON: {error}.",
            next_step=f'Write one such as {{"input": "{QUESTION}", "passages": "{CONTEXTS}"}}.',
        ) from None
    if not any(QUESTION in each for each in _values(body)):
        raise StartRefusedError(f"The request template nowhere has {QUESTION}.", next_step="Put it where it belongs.")
    return Template(body=body, response=path_of(response))


def plain_template(response: str) -> Template:
    """Question and contexts by the names of `POST /score`."""
    return Template(body=dict(PLAIN), response=path_of(response))


def chat_template(model: str, temperature: float | None) -> Template:
    """A chat completion of an OpenAI-compatible endpoint."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": CHAT_INSTRUCTION},
            {"role": "user", "content": f"{CONTEXTS}\n\nQuestion: {QUESTION}"},
        ],
    }
    if temperature is not None:
        body["temperature"] = temperature
    return Template(body=body, response=path_of(CHAT_PATH))


def path_of(text: str) -> tuple[str, ...]:
    """`choices.0.message` as its parts."""
    return tuple(part for part in text.split(".") if part)


def _values(value: Any) -> Iterator[str]:
    """All texts that are filled in; names of fields are not."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _values(each)


def _filled(value: Any, given: Mapping[str, str | Sequence[str]]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, given) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, given) for each in value]
    if not isinstance(value, str):
        return value
    whole = given.get(value)
    if whole is not None:
        return whole if isinstance(whole, str) else list(whole)
    return _inserted(
        value, {name: each if isinstance(each, str) else "\n\n".join(each) for name, each in given.items()}
    )


def _inserted(text: str, given: Mapping[str, str]) -> str:
    """In one pass: what is inserted is not looked through for placeholders."""
    parts, at = [], 0
    while (
        found := min(((text.find(name, at), name) for name in given if name in text[at:]), default=None)
    ) is not None:
        place, name = found
        parts += [text[at:place], given[name]]
        at = place + len(name)
    return "".join([*parts, text[at:]])


def _walk(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            raise NoResponseError
    return document


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NoResponseError
    return value
