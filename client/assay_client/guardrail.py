"""Guardrails: one answer checked while its reader waits, within a hard deadline, failing open."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, cast

from assay_client.wire import Answer, Wire, WireError

Status = Literal["scored", "not_applicable", "unscored", "pending", "unavailable"]
SETTLED = {"scored", "not_applicable", "unscored"}
DEFAULT_WAIT_S = 2.0
MIN_WAIT_S = 0.01
MAX_WAIT_S = 30.0  # of the server
ANSWER_SHARE = 0.1  # of the deadline, left for the answer to travel
MAX_ANSWER_S = 0.2


class AssayUnavailableError(Exception):
    """Assay did not score the answer in time. Raised only where `fail_open=False` asks for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A statement of the response, by its code points, and what the contexts say of it."""

    start: int
    end: int
    text: str
    verdict: str  # supported, contradicted, unsupported, not_checkable
    score: float | None
    evidence: str | None  # the words that decided
    context_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreResult:
    """What Assay says of one answer. `flagged` and `score` are None unless `status` is `scored`: None is not False."""

    id: str | None
    status: Status
    reason: str | None = None
    flagged: bool | None = None
    score: float | None = None  # 0..1, 1 is bad
    threshold: float | None = None
    claims: tuple[Claim, ...] = ()


def unavailable(sample_id: str | None, reason: str) -> ScoreResult:
    """The result where there is none."""
    return ScoreResult(id=sample_id, status="unavailable", reason=reason)


def seconds(wait: Any) -> float:
    """A wait that the server accepts, whatever was asked for."""
    try:
        asked = float(wait)
    except (TypeError, ValueError, OverflowError):
        return DEFAULT_WAIT_S
    return DEFAULT_WAIT_S if math.isnan(asked) else min(max(asked, MIN_WAIT_S), MAX_WAIT_S)


async def ask(wire: Wire, sample_id: str, line: bytes, deadline: float) -> ScoreResult:
    """Asks for the score until the deadline, by the monotonic clock.

    Raises WireError where no answer came, or one that says that it was not taken.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise WireError("timeout", sent=False)
    wait = max(left - min(left * ANSWER_SHARE, MAX_ANSWER_S), MIN_WAIT_S / 2)
    answer = await wire.post(f"/score?wait={wait:.3f}", line, left)
    if answer.untaken:
        raise WireError(answer.problem(), sent=False)
    return _result(sample_id, answer)


def _result(sample_id: str, answer: Answer) -> ScoreResult:
    if answer.status == HTTPStatus.ACCEPTED:
        return ScoreResult(id=sample_id, status="pending")
    if answer.status != HTTPStatus.OK:
        return unavailable(sample_id, answer.problem())
    try:
        return _read(sample_id, answer.document())
    except (ValueError, TypeError, LookupError, AttributeError):
        return unavailable(sample_id, "unreadable")


def _read(sample_id: str, document: Mapping[str, Any]) -> ScoreResult:
    if document["status"] not in SETTLED:
        return ScoreResult(id=sample_id, status="pending")
    return ScoreResult(
        id=sample_id,
        status=cast("Status", document["status"]),
        reason=document["reason"],
        flagged=document["flagged"],
        score=document["score"],
        threshold=document["threshold"],
        claims=tuple(_claim(claim) for claim in document["claims"]),
    )


def _claim(document: Mapping[str, Any]) -> Claim:
    evidence = document["evidence"] or {}
    return Claim(
        start=document["start"],
        end=document["end"],
        text=document["text"],
        verdict=document["verdict"],
        score=document["score"],
        evidence=evidence.get("text"),
        context_id=evidence.get("context_id"),
    )
