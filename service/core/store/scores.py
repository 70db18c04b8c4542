"""Scores: written once for each sample and fingerprint, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from models.types import ClaimResult, Scored
from service.core.store.dialect import insert_many, many
from service.core.tables import claims, scores


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredBy:
    """Who scored, as stored with each score."""

    scorer: str
    fingerprint: str
    attributes: dict[str, str]


def write_scores(connection: Connection, outcomes: Mapping[int, Scored], by: ScoredBy, now: datetime) -> None:
    """Writes the scores of samples, by their numbers, with the claims; two statements."""
    dialect = connection.dialect.name
    score_rows = [_score_row(seq, outcome, by, now) for seq, outcome in outcomes.items()]
    statement = insert_many(dialect, scores, tuple(score_rows[0])).returning(scores.c.seq, scores.c.sample_seq)
    written = connection.execute(statement, many(dialect, score_rows))
    claim_rows = [
        _claim_row(row.seq, position, claim)
        for row in written
        for position, claim in enumerate(outcomes[row.sample_seq].claims)
    ]
    if claim_rows:
        connection.execute(insert_many(dialect, claims, tuple(claim_rows[0])), many(dialect, claim_rows))


def _score_row(seq: int, outcome: Scored, by: ScoredBy, now: datetime) -> dict[str, Any]:
    return {
        "sample_seq": seq,
        "scorer": by.scorer,
        "fingerprint": by.fingerprint,
        "attributes": by.attributes,
        "created_at": now,
        "score": outcome.score,
        "flagged": outcome.flagged,
        "threshold": outcome.threshold,
        "claims_checked": outcome.claims_checked,
        "claims_flagged": outcome.claims_flagged,
        "pairs": outcome.pairs,
    }


def _claim_row(score_seq: int, position: int, claim: ClaimResult) -> dict[str, Any]:
    probability, evidence = claim.probability, claim.evidence
    return {
        "score_seq": score_seq,
        "position": position,
        "start": claim.start,
        "end": claim.end,
        "verdict": claim.verdict.value,
        "score": claim.score,
        "entailment": probability.entailment if probability else None,
        "neutral": probability.neutral if probability else None,
        "contradiction": probability.contradiction if probability else None,
        "evidence_context": evidence.context_index if evidence else None,
        "evidence_start": evidence.start if evidence else None,
        "evidence_end": evidence.end if evidence else None,
    }
