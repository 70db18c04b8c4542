"""What a scripted endpoint sends for each behaviour: status, headers, bytes, and what it bills.

A token is a run of letters and digits, or one other character that is not white space. `prompt_tokens` are those of all
messages' text, `completion_tokens` those of all choices. A reply longer than the request's `max_tokens` is cut there,
with `finish_reason` "length". Whoever asks for `logprobs` is told one per token.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from workers.judge.scenario import Behaviour, Scenario, draw
from workers.judge.scripted_alternatives import alternative
from workers.judge.scripted_prompt import Asked, Prompt
from workers.judge.scripted_verdicts import good_verdict, unverified_verdict

_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])")
_GARBAGE = (
    "I have thought about this for a while, and on the whole I would say that it depends.",
    "0.87",
    '{"answer": 42, "confidence": "high"}',
    "[]",
    "supported, supported, unsupported, and the last one I could not make out",
)
_SCRAP_CHARS = 200  # of the judged text, in an error's message


class Manner(StrEnum):
    """How an answer is sent."""

    WHOLE = "whole"
    NEVER = "never"
    HEADERS = "headers"  # and no more
    DRIP = "drip"
    HALF = "half"


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a completion took."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What is sent."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner.WHOLE
    wait_s: float = 0.0  # before anything is sent
    billed: Usage | None = None  # None: costs nothing
    told: bool = True  # whether the client can know what was billed


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request, and all that its answer hangs on."""

    asked: Asked
    scenario: Scenario
    behaviour: Behaviour
    number: int  # of the request, from 1
    before: int  # requests of the same sample that came before
    authorization: str = ""  # the header's value


def reply_to(call: Call) -> Reply:
    """The answer to one request."""
    return _REPLIES.get(call.behaviour, _completion)(call)


def error_reply(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """An error as the OpenAI API words it."""
    kind = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004 - the statuses' own border
    told = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    return Reply(status=status, body=_json(told), headers=headers or {})


def json_reply(told: object) -> Reply:
    """Any JSON with status 200, free of charge."""
    return Reply(body=_json(told))


def tokens(text: str) -> list[str]:
    """The text's tokens, each with the white space before it; what follows the last one is left out."""
    return _TOKEN.findall(text)


def _json(told: object) -> bytes:
    return json.dumps(told).encode()


def _content(call: Call, choice: int) -> tuple[str | None, float]:
    """What a choice says, and the mean -ln(probability) of its tokens."""
    said = _SAID.get(call.behaviour)
    prompt = call.asked.prompt
    if said is not None and (content := said(call)) is not None:
        return content, 0.5
    if call.behaviour is Behaviour.EMPTY:
        return None, 0.0
    if prompt is None:
        drawn = alternative(call.asked, call.scenario, call.before, choice)
        return drawn.text, drawn.unlikelihood
    verdict = good_verdict(prompt, call.scenario, call.before * 128 + choice)
    return _shaped(call.behaviour, verdict, prompt), 0.1


def _shaped(behaviour: Behaviour, verdict: dict[str, Any], prompt: Prompt) -> str:
    if behaviour is Behaviour.UNVERIFIED:
        verdict = unverified_verdict(prompt)
    if behaviour is Behaviour.WRONG_NONCE:
        verdict = {**verdict, "nonce": prompt.nonce[::-1]}
    text = json.dumps(verdict, ensure_ascii=False)
    if behaviour is Behaviour.BROKEN_JSON:
        return text[: len(text) // 2]
    if behaviour is Behaviour.FENCED:
        return f"Here is what I found.\n\n```json\n{text}\n```\n\nLet me know whether that helps."
    return text


def _garbage(call: Call) -> str:
    return _GARBAGE[int(len(_GARBAGE) * draw(call.scenario.seed, "garbage", call.asked.foreign))]


def _obeyed(call: Call) -> str | None:
    text = call.asked.foreign
    decoder = json.JSONDecoder()
    for found in re.finditer(r"\{", text):
        try:
            return text[found.start() : decoder.raw_decode(text, found.start())[1]]
        except (ValueError, RecursionError):
            continue
    return None


_SAID: dict[Behaviour, Callable[[Call], str | None]] = {  # None: as a good endpoint does
    Behaviour.GARBAGE: _garbage,
    Behaviour.OBEY: _obeyed,
    Behaviour.ECHO: lambda call: call.asked.message,
    Behaviour.ECHO_RESPONSE: lambda call: None if call.asked.prompt is None else call.asked.prompt.response,
}


def _choice(call: Call, place: int) -> tuple[dict[str, Any], int]:
    """A choice, and its tokens."""
    content, unlikelihood = _content(call, place)
    said = tokens(content or "")
    most = call.asked.most_tokens
    cut = most is not None and len(said) > most
    if cut:
        said = said[:most]
        content = "".join(said)
    told: dict[str, Any] = {
        "index": place,
        "message": {"role": "assistant", "content": content, "refusal": None},
        "finish_reason": "length" if cut else "stop",
        "logprobs": None,
    }
    if call.asked.logprobs:
        told["logprobs"] = {"content": [_logprob(token, unlikelihood, at) for at, token in enumerate(said)]}
    return told, len(said)


def _logprob(token: str, unlikelihood: float, at: int) -> dict[str, Any]:
    # Spread evenly about the mean, so that the mean is what a test can expect.
    value = -unlikelihood * (1.5 if at % 2 else 0.5)
    return {"token": token, "logprob": value, "bytes": list(token.encode("utf-8", "replace")), "top_logprobs": []}


def _completion(call: Call) -> Reply:
    choices = [_choice(call, place) for place in range(call.asked.choices)]
    billed = Usage(
        prompt_tokens=len(tokens(call.asked.everything)), completion_tokens=sum(count for _, count in choices)
    )
    told: dict[str, Any] = {
        "id": f"chatcmpl-{call.number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": call.asked.model,
        "choices": [choice for choice, _ in choices],
    }
    untold = call.behaviour in (Behaviour.NO_USAGE, Behaviour.HALF_STREAM)
    if call.behaviour is not Behaviour.NO_USAGE:
        total = billed.prompt_tokens + billed.completion_tokens
        told["usage"] = {
            "prompt_tokens": billed.prompt_tokens,
            "completion_tokens": billed.completion_tokens,
            "total_tokens": total,
        }
    return Reply(
        body=_json(told),
        manner=Manner.HALF if call.behaviour is Behaviour.HALF_STREAM else Manner.WHOLE,
        wait_s=call.scenario.slow_s if call.behaviour is Behaviour.SLOW else 0.0,
        billed=billed,
        told=not untold,
    )


def _server_error(call: Call) -> Reply:
    status = (500, 502, 503)[int(3 * draw(call.scenario.seed, "status", call.asked.foreign))]
    return error_reply(status, f"The model failed while it read: {call.asked.foreign[:_SCRAP_CHARS]}")


def _rate_limited(call: Call) -> Reply:
    return error_reply(429, "Too many requests.", {"Retry-After": f"{call.scenario.retry_after_s:g}"})


def _refuse_schema(call: Call) -> Reply:
    if call.asked.schema is None:
        return _completion(call)
    return error_reply(400, f"response_format of type {call.asked.schema[:64]} is not supported with this model.")


_REPLIES: dict[Behaviour, Callable[[Call], Reply]] = {
    Behaviour.HANG: lambda _: Reply(manner=Manner.NEVER),
    Behaviour.HANG_HEADERS: lambda _: Reply(manner=Manner.HEADERS),
    Behaviour.DRIP: lambda _: Reply(manner=Manner.DRIP),
    Behaviour.SERVER_ERROR: _server_error,
    Behaviour.RATE_LIMITED: _rate_limited,
    Behaviour.UNAUTHORISED: lambda call: error_reply(401, f"Incorrect API key provided: {call.authorization}"),
    Behaviour.REFUSE_SCHEMA: _refuse_schema,
    Behaviour.NOT_A_COMPLETION: lambda _: json_reply({"object": "list", "data": [], "status": "ok"}),
}
