"""Signals: what speaks for a risk of a submission when it comes, from itself and from what is known by then."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.core.policy import SIGNAL_PREFIX, Signal, Signals
from service.core.schemas import Submission

DISLIKED_FOR = timedelta(days=1)  # how long a thumb down speaks


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What is known of the traffic of all tenants, read every few seconds."""

    first_seen: dict[tuple[str, str], datetime] = field(default_factory=dict)  # by tenant and release
    disliked: AbstractSet[tuple[str, str]] = frozenset()  # tenant and trace, session or id with negative feedback
    scales: dict[str, float] = field(default_factory=dict)  # by tenant: the share of all samples that a budget allows


def signal_fields(
    submission: Submission, tenant: str, known: Situation, table: Signals, now: datetime
) -> dict[str, str]:
    """A field for each signal that speaks."""
    speaking = [
        (Signal.DIGITS, any(character.isdigit() for character in submission.response)),
        (Signal.LONG_RESPONSE, len(submission.response) >= table.long_response_chars),
        (Signal.LOW_RETRIEVAL, _low_retrieval(submission, table)),
        (Signal.NEW_RELEASE, _new_release(submission, tenant, known, table, now)),
        (Signal.NEGATIVE_FEEDBACK, _disliked(submission, tenant, known)),
    ]
    return {SIGNAL_PREFIX + signal: "true" for signal, speaks in speaking if speaks}


def _low_retrieval(submission: Submission, table: Signals) -> bool:
    """Whether scores were given and none is good."""
    scores = [context.score for context in submission.contexts if context.score is not None]
    return bool(scores) and max(scores) < table.low_retrieval_score


def _new_release(submission: Submission, tenant: str, known: Situation, table: Signals, now: datetime) -> bool:
    """Whether the release was first seen within the time; one that nobody has seen yet is new."""
    if submission.release is None:
        return False
    first = known.first_seen.get((tenant, submission.release))
    return first is None or now - first < timedelta(hours=table.new_release_hours)


def _disliked(submission: Submission, tenant: str, known: Situation) -> bool:
    names = (submission.trace_id, submission.session_id, submission.id)
    return any((tenant, name) in known.disliked for name in names if name is not None)
