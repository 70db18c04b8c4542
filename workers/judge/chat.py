"""A chat with a language model: what is asked, what comes back, and the ways in which nothing does."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from models.judge.prompt import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatRequest:
    """One call."""

    messages: tuple[Message, ...]
    max_output_tokens: int
    temperature: float
    seed: int | None = None
    schema: Mapping[str, Any] | None = None  # JSON schema that the reply is asked to keep to
    logprobs: bool = False  # whether the probabilities of the reply's tokens are wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatReply:
    """What came back."""

    text: str  # empty where the model said nothing that is text
    input_tokens: int | None  # None: it did not say
    output_tokens: int | None
    likelihood: float | None = None  # mean natural logarithm of the tokens' probabilities, where it told them
    cut: bool = False  # it reached the most output tokens


class FailureKind(StrEnum):
    """Why no reply came."""

    TIMED_OUT = "timed_out"  # sent, and no answer within the hard limit
    UNREACHABLE = "unreachable"  # no connection, or none within the hard limit: nothing was sent
    ADDRESS_REFUSED = "address_refused"  # the host leads to an address that is not public
    RATE_LIMITED = "rate_limited"  # 429
    SERVER_ERROR = "server_error"  # 5xx
    BAD_REQUEST = "bad_request"  # another 4xx: this request cannot be answered
    UNAUTHORISED = "unauthorised"  # 401 or 403
    MODEL_UNKNOWN = "model_unknown"  # 404
    CUT_OFF = "cut_off"  # the connection was lost before the answer's end
    MALFORMED = "malformed"  # 200, and no completion
    TOO_LARGE = "too_large"  # more bytes than an answer can have
    CIRCUIT_OPEN = "circuit_open"  # left alone in the midst of a review, of which calls were paid already
    INPUT_TOO_LONG = "input_too_long"  # more tokens than the model reads; of a model in memory

    @property
    def passes(self) -> bool:
        """Whether the same call may succeed later."""
        return self in _PASSING

    @property
    def may_cost(self) -> bool:
        """Whether the endpoint may charge for the call although no reply came.

        What it refused, or never got, costs nothing; of what was lost on the way nobody can tell.
        """
        return self in _MAY_COST

    @property
    def is_of_request(self) -> bool:
        """Whether it says something of this request alone, and nothing of the endpoint."""
        return self in _OF_REQUEST


_PASSING = frozenset(
    {
        FailureKind.TIMED_OUT,
        FailureKind.UNREACHABLE,
        FailureKind.RATE_LIMITED,
        FailureKind.SERVER_ERROR,
        FailureKind.CUT_OFF,
        FailureKind.MALFORMED,
    }
)
_MAY_COST = frozenset({FailureKind.TIMED_OUT, FailureKind.CUT_OFF, FailureKind.MALFORMED, FailureKind.TOO_LARGE})
_OF_REQUEST = frozenset(
    {FailureKind.BAD_REQUEST, FailureKind.INPUT_TOO_LONG, FailureKind.TOO_LARGE, FailureKind.RATE_LIMITED}
)


class ChatFailedError(Exception):
    """No reply came. Its words hold nothing of what was asked, of the answer, or of the key."""

    def __init__(self, kind: FailureKind, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: how long the endpoint asks to be left alone."""
        super().__init__(kind.value)
        self.kind = kind
        self.retry_after_s = retry_after_s


def storable(text: str) -> str:
    """The text without what no database takes: U+0000, and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class Chat(Protocol):
    """A language model that can be asked, by several at a time."""

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The reply, within the hard limit. Raises ChatFailedError."""

    async def close(self) -> None:
        """Lets connections and memory go."""
