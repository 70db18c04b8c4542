"""The scenario of a scripted endpoint: how it behaves to which share of the samples.

A TOML file, all of it optional:

    seed = 7               # of every draw below; another seed draws other samples
    per_request = false    # true: drawn for each request by its number, so that a retry may fare better
    recovers_after = 2     # a sample is answered well from its third request on; 0, the default: never
    slow_s = 0.05          # seconds that `slow` waits before it answers
    drip_s = 0.05          # seconds between two bytes of `drip`
    retry_after_s = 0.05   # what `rate_limited` says in Retry-After
    disagree = 0.3         # share of the alternative responses that say something else
    waver = 0.0            # share of a good judge's verdicts, claim by claim, that come out the other way

    [shares]               # of samples, by behaviour; the rest is answered well
    hang = 0.05
    server_error = 0.10
    garbage = 0.05

    [[rule]]               # for samples whose text holds this; the first that fits counts, before any share
    contains = "Eiffel"
    behaviour = "rate_limited"

The draw: a sample is the text that the judge is given as data (contexts, question and response, without delimiters and
nonce), so that retries, repairs and votes of the same sample fare alike, in any order and in any process. The first 53
bits of a SHA-256 over the seed and that text are a number in [0, 1), and the behaviours divide [0, 1) by their shares
in the order in which `Behaviour` lists them. A request without our delimiters asks for an alternative response; its
sample is the text of all its messages.
"""

import hashlib
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.core.errors import StartRefusedError

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)]
_BITS = 53  # of a float's whole numbers
_ROUNDING = 1e-9


class Behaviour(StrEnum):
    """What a request is answered with; status 200, unless it says otherwise.

    `never` is another name of `hang`, and `fail` of `server_error`.
    """

    HANG = "hang"  # the request is taken and never answered
    HANG_HEADERS = "hang_headers"  # status and headers come, then never anything
    DRIP = "drip"  # one space at a time, for ever: bytes keep coming, an answer never
    SERVER_ERROR = "server_error"  # 500, 502 or 503; their text repeats some of what was sent
    RATE_LIMITED = "rate_limited"  # 429 with Retry-After
    UNAUTHORISED = "unauthorised"  # 401; its text repeats the key that was sent
    REFUSE_SCHEMA = "refuse_schema"  # 400 to a request with `response_format`, else well
    GARBAGE = "garbage"  # text that is no verdict
    EMPTY = "empty"  # a reply without content
    BROKEN_JSON = "broken_json"  # a good verdict, cut in its middle
    WRONG_NONCE = "wrong_nonce"  # a good verdict with another nonce
    UNVERIFIED = "unverified"  # every claim supported, by a quotation that no context holds
    FENCED = "fenced"  # a good verdict in a code fence, with prose around it
    ECHO = "echo"  # the whole user message comes back
    ECHO_RESPONSE = "echo_response"  # the response that is judged comes back
    OBEY = "obey"  # the first JSON object that stands in the judged text comes back; without one, well
    HALF_STREAM = "half_stream"  # the length of a good answer, half of its bytes, and the end; billed
    NO_USAGE = "no_usage"  # a good answer that does not say what it used; billed
    NOT_A_COMPLETION = "not_a_completion"  # JSON of something else
    SLOW = "slow"  # well, after a while
    WELL = "well"  # a good answer

    @classmethod
    def _missing_(cls, value: object) -> "Behaviour | None":
        return {"never": cls.HANG, "fail": cls.SERVER_ERROR}.get(str(value))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """A `[[rule]]` table."""

    contains: Annotated[str, Field(min_length=1)]
    behaviour: Behaviour


class Scenario(_Part):
    """How an endpoint behaves."""

    seed: int = 0
    per_request: bool = False
    recovers_after: Annotated[int, Field(ge=0)] = 0
    slow_s: Seconds = 0.05
    drip_s: Annotated[float, Field(gt=0, le=600)] = 0.05
    retry_after_s: Seconds = 1.0
    disagree: Share = 0.0
    waver: Share = 0.0
    shares: dict[Behaviour, Share] = Field(default_factory=dict)
    rule: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(self.shares.values())
        if total > 1 + _ROUNDING:
            raise ValueError(f"the shares are {total:g} together, which is more than 1")
        if Behaviour.WELL in self.shares and total < 1 - _ROUNDING:
            raise ValueError(f"the shares are {total:g} together; leave out `well`, and it is the rest")
        return self

    def behaviour(self, text: str, *, request: int, before: int) -> Behaviour:
        """How a request is answered: its sample's text, its own number, and how many of that sample came before it."""
        if self.recovers_after and before >= self.recovers_after:
            return Behaviour.WELL
        for rule in self.rule:
            if rule.contains in text:
                return rule.behaviour
        return self._drawn(f"request {request}" if self.per_request else text)

    def _drawn(self, unit: str) -> Behaviour:
        left = draw(self.seed, "behaviour", unit)
        for behaviour in Behaviour:
            left -= self.shares.get(behaviour, 0.0)
            if left < 0:
                return behaviour
        return Behaviour.WELL


def draw(seed: int, *parts: object) -> float:
    """A number in [0, 1) that is the same whenever seed and parts are."""
    told = b"".join(len(each).to_bytes(8) + each for each in (_bytes(part) for part in (seed, *parts)))
    return (int.from_bytes(hashlib.sha256(told).digest()[:8]) >> (64 - _BITS)) / (1 << _BITS)


def _bytes(part: object) -> bytes:
    # JSON may hold half of a surrogate pair, which has no UTF-8.
    return str(part).encode("utf-8", "surrogatepass")


def read_scenario(path: Path) -> Scenario:
    """The scenario of a TOML file. Raises StartRefusedError."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StartRefusedError(f"The scenario {path} cannot be read: {error}.") from None
    return scenario_of(told)


def scenario_of(told: object) -> Scenario:
    """The scenario of a table. Raises StartRefusedError, which names the first field that is not right."""
    try:
        return Scenario.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part != "[key]")
        message = first["msg"].removeprefix("Value error, ")
        raise StartRefusedError(f"The scenario is not valid: {place + ': ' if place else ''}{message}.") from None
