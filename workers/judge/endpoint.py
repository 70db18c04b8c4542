"""A language model at an OpenAI-compatible endpoint: one call within a hard limit, its answer read or its failure named."""

import asyncio
import email.utils
import json
import logging
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

import httpcore2
import httpx2
import openai
from pydantic import SecretStr

from service.core.reviewing.judge import Generator, Judge
from workers.dialling import AddressRefusedError, Resolve, system_addresses
from workers.judge.chat import ChatFailedError, ChatReply, ChatRequest, FailureKind, storable
from workers.judge.network import (
    SENDING,
    AnswerEncodedError,
    AnswerTooLargeError,
    CheckedNetwork,
    CheckedTransport,
    Sending,
)

UNAUTHORISED, NOT_FOUND, RATE_LIMITED = (401, 403), 404, 429
SERVER_ERRORS = 500
# A gateway gave up on what stood behind it, which may well have gone on.
GATEWAY_TIMEOUTS = (504, 524)
TOO_LONG = ("context length", "context_length", "maximum context", "too many tokens", "prompt is too long")
OPTIONAL = ("response_format", "logprobs", "seed", "temperature")  # what a server may not know
# What the network raises goes through both libraries as it is.
LOST = (
    AddressRefusedError,
    AnswerEncodedError,
    AnswerTooLargeError,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpx2.HTTPError,
)
NO_KEY = "none"  # what servers without keys are sent: the library wants one


class EndpointChat:
    """Calls one endpoint. What it refuses to read is left out from then on."""

    def __init__(self, model: Judge | Generator, key: SecretStr | None, resolve: Resolve = system_addresses) -> None:
        """Connects to nothing yet. `key`: sent as a bearer token."""
        if model.address is None or model.url is None:
            raise ValueError("the model has no endpoint")
        for name in ("openai", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)  # below it they log what is sent
        network = CheckedNetwork(allow_private=model.allow_private, resolve=resolve)
        self._model = model
        self._schema_wanted = isinstance(model, Judge) and model.json_schema != "off"
        self._may_drop = not (isinstance(model, Judge) and model.json_schema == "on")
        self._dropped: set[str] = set()
        self._limit_name = "max_tokens"
        self._http = httpx2.AsyncClient(
            transport=CheckedTransport(network, model.concurrency, key.get_secret_value().strip() if key else NO_KEY),
            trust_env=False,
            follow_redirects=False,
            timeout=None,
        )
        self._client = openai.AsyncOpenAI(
            api_key=NO_KEY,  # the transport has the key: what the library cannot encode, its error would quote
            organization="",  # not what the environment says
            project="",
            base_url=model.url,
            max_retries=0,
            http_client=self._http,
        )

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The reply, within the hard limit. Raises ChatFailedError."""
        sending = Sending()
        SENDING.set(sending)
        try:
            async with asyncio.timeout(self._model.timeout_s):
                return await self._complete(request)
        except TimeoutError:
            # A name, a connection or TLS that hangs is told apart: nothing can be charged for what was never sent.
            raise ChatFailedError(FailureKind.TIMED_OUT if sending.begun else FailureKind.UNREACHABLE) from None

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def _complete(self, request: ChatRequest) -> ChatReply:
        dropped, limit_name = set(self._dropped), self._limit_name
        while True:
            body = self._body(request, dropped, limit_name)
            try:
                raw = await self._client.chat.completions.with_raw_response.create(**body)
            except openai.APIStatusError as error:
                said = _said(error)
                # Refused before anything was generated, so nothing was charged.
                if limit_name == "max_tokens" and "max_completion_tokens" in said:
                    limit_name = "max_completion_tokens"  # what newer models call it
                elif more := self._droppable(said, body):
                    dropped |= more
                else:
                    raise _refused(error) from None
            except (openai.APIConnectionError, *LOST) as error:
                raise ChatFailedError(_lost(error.__cause__ or error, SENDING.get())) from None
            except openai.APIResponseValidationError:
                raise ChatFailedError(FailureKind.MALFORMED) from None
            else:
                self._dropped, self._limit_name = dropped, limit_name  # it was that, so it is left out from now on
                return _read(raw.http_response)

    def _body(self, request: ChatRequest, dropped: AbstractSet[str], limit_name: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model.model or "",
            "messages": [{"role": each.role, "content": each.content} for each in request.messages],
            limit_name: request.max_output_tokens,
            "temperature": request.temperature,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.logprobs:
            body["logprobs"] = True
        if request.schema is not None and self._schema_wanted:
            form = {"name": "verdicts", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return {name: value for name, value in body.items() if name not in dropped}

    def _droppable(self, said: str, body: Mapping[str, Any]) -> set[str]:
        """What the server may have refused that it can do without; none where there is no such thing."""
        names = [name for name in OPTIONAL if name in body and (name != "response_format" or self._may_drop)]
        named = [name for name in names if name in said or (name == "response_format" and "json_schema" in said)]
        # Some servers do not name what they do not know: then the schema is what is least often known.
        return set(named[:1] or [name for name in names if name == "response_format"])


def _said(error: openai.APIStatusError) -> str:
    """What a server that refuses a request says of it. Raises ChatFailedError where nothing can be left out."""
    if error.status_code not in {400, 422}:
        raise _refused(error) from None
    said = f"{getattr(error, 'param', '')} {error.message}".lower()
    if any(words in said for words in TOO_LONG):
        raise ChatFailedError(FailureKind.INPUT_TOO_LONG) from None
    return said


def _refused(error: openai.APIStatusError) -> ChatFailedError:
    status = error.status_code
    if status in UNAUTHORISED:
        return ChatFailedError(FailureKind.UNAUTHORISED)
    if status == NOT_FOUND:
        return ChatFailedError(FailureKind.MODEL_UNKNOWN)
    if status == RATE_LIMITED:
        return ChatFailedError(FailureKind.RATE_LIMITED, _retry_after(error.response.headers.get("retry-after")))
    if status in GATEWAY_TIMEOUTS:
        return ChatFailedError(FailureKind.CUT_OFF)
    if status >= SERVER_ERRORS:
        return ChatFailedError(FailureKind.SERVER_ERROR, _retry_after(error.response.headers.get("retry-after")))
    return ChatFailedError(FailureKind.BAD_REQUEST)


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number or a date of HTTP; None where it says neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = email.utils.parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _lost(cause: BaseException, sending: Sending) -> FailureKind:
    match cause:
        case AddressRefusedError():
            return FailureKind.ADDRESS_REFUSED
        case AnswerEncodedError():
            return FailureKind.MALFORMED
        case AnswerTooLargeError():
            return FailureKind.TOO_LARGE
        case httpcore2.ConnectError() | httpcore2.ConnectTimeout() | httpcore2.PoolTimeout():
            return FailureKind.UNREACHABLE
        case _:
            return FailureKind.CUT_OFF if sending.begun else FailureKind.UNREACHABLE


def _read(response: httpx2.Response) -> ChatReply:
    """What a completion says. Raises ChatFailedError where it is none."""
    try:
        answer = json.loads(response.content)
        choice = answer["choices"][0]
        message, usage = choice["message"], answer.get("usage") or {}
        text = message.get("content")
        return ChatReply(
            text=storable(text) if isinstance(text, str) else "",
            input_tokens=_tokens(usage.get("prompt_tokens")),
            output_tokens=_tokens(usage.get("completion_tokens")),
            likelihood=_likelihood(choice.get("logprobs")),
            cut=choice.get("finish_reason") == "length",
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError):
        raise ChatFailedError(FailureKind.MALFORMED) from None


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else None


def _likelihood(logprobs: object) -> float | None:
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return None
    try:
        values = [float(each["logprob"]) for each in tokens]
    except (ValueError, KeyError, TypeError, OverflowError):
        return None  # the text is none the worse for it
    mean = sum(values) / len(values)
    return min(0.0, mean) if math.isfinite(mean) else None
