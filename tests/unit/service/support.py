"""What the tests of the sidecar's pure parts share: short ways to make payloads, policies, cells and rows."""

import json
from datetime import UTC, datetime
from typing import Any

from service.core.config import Settings
from service.core.errors import PayloadInvalidError
from service.core.payload import parse_submission
from service.core.policy import Policy, parse_policy
from service.core.schemas import Submission
from service.core.store.rates import ScoreRow, StateRow, Stretch
from service.core.store.rollups import Sums

START = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def policy(rate: float, *, salt: str = "", rules: str = "") -> Policy:
    """A policy with a base rate, a salt and the text of more tables."""
    return parse_policy(f"[sampling]\nrate = {rate!r}\nsalt = {json.dumps(salt)}\n{rules}")


def body(**fields: Any) -> bytes:
    """The smallest body that is accepted, with more fields, as JSON in ASCII."""
    return json.dumps({"response": "It takes 30 days."} | fields).encode()


def parsed(sent: bytes, **limits: int) -> Submission:
    """The submission of a body, under these limits."""
    return parse_submission(sent, Settings(**limits))


def refusal(sent: bytes, **limits: int) -> PayloadInvalidError:
    """The error for a body that must be refused."""
    try:
        accepted = parse_submission(sent, Settings(**limits))
    except PayloadInvalidError as error:
        return error
    raise AssertionError(f"accepted: {accepted!r}")


def stretch(*group_by: str, width_s: int = 3_600) -> Stretch:
    """Two hours from START."""
    return Stretch(tenant="default", start=START, end=START.replace(hour=14), width_s=width_s, group_by=group_by)


def state(outcome: str, submissions: int, **changes: Any) -> StateRow:
    """Submissions of bucket 0 without group that were sampled at 5%."""
    fields: dict[str, Any] = {"bucket": 0, "group": (), "inclusion_probability": 0.05}
    return StateRow(outcome=outcome, submissions=submissions, **(fields | changes))


def score(scored: int, flagged: int, **changes: Any) -> ScoreRow:
    """Scored responses of bucket 0 without group that were sampled at 5%."""
    fields: dict[str, Any] = {"bucket": 0, "group": (), "fingerprint": "f1", "inclusion_probability": 0.05}
    return ScoreRow(sums=Sums(number=scored, flagged=flagged), **(fields | changes))
