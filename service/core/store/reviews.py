"""Reviews: made with the first score's end, taken under a lease, finished once.

As in `taking`, the attempt number is the fencing token: a finish counts only while it is still the row's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, literal, literal_column, or_, select, type_coerce, update

from models.types import Consistent, Judged, NotApplicable, ReviewReason, Scored, Unscored
from service.core.clock import database_now
from service.core.review_tables import Place, Reviewer, Why, review_claims, reviews
from service.core.store.calls import sum_calls
from service.core.store.dialect import insert
from service.core.store.removal import promised
from service.core.store.spending import refund
from service.core.tables import Kept, State, StoreText, samples

MOST_FAILURES = 3  # takes that ended with a dead worker; then the row is given up
PENDING = reviews.c.state == literal_column("'pending'")
FREE = or_(reviews.c.lease_until.is_(None), database_now() > type_coerce(reviews.c.lease_until, BigInteger))

ReviewOutcome = Judged | Consistent | NotApplicable | Unscored | ReviewReason


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewedBy:
    """Who reviewed."""

    fingerprint: str
    attributes: dict[str, str]


NOBODY = ReviewedBy(fingerprint="", attributes={})  # ended a review that no scorer saw


@dataclass(frozen=True, kw_only=True, slots=True)
class NewReview:
    """A review to make; `outcome` where it is done already."""

    sample_seq: int
    tenant: str
    reviewer: Reviewer
    why: Why
    probability: float  # above 0, at most 1
    place: Place
    estimate_pico: int = 0
    outcome: ReviewOutcome | None = None
    by: ReviewedBy | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenReview:
    """A review that this worker holds, with the texts that it needs."""

    seq: int
    attempt: int
    reviewer: Reviewer
    sample_seq: int
    tenant: str
    rule: str  # the sample's stratum
    created_at: datetime
    question: str | None
    contexts: list[dict[str, Any]]
    response: str
    drawn: list[dict[str, Any]] | None


def add_reviews(connection: Connection, made: Sequence[NewReview], now: datetime) -> None:
    """Writes reviews; one for each sample and reviewer, a second one changes nothing."""
    for review in made:
        values: dict[str, Any] = {
            "sample_seq": review.sample_seq,
            "tenant": review.tenant,
            "reviewer": review.reviewer.value,
            "why": review.why.value,
            "probability": review.probability,
            "created_at": now,
            "place": review.place.value,
            "estimate_pico": review.estimate_pico,
            "state": State.PENDING.value,
            **dict.fromkeys(("attempt", "failures", "calls", "input_tokens", "output_tokens", "cost_pico"), 0),
        }
        if review.outcome is not None:
            values |= ended(review.outcome, review.by or NOBODY, now)
        statement = insert(connection, reviews).values(values).on_conflict_do_nothing()
        seq = connection.execute(statement.returning(reviews.c.seq)).scalar_one_or_none()
        if seq is not None and review.outcome is not None:
            _write_claims(connection, seq, review.outcome)


def take_reviews(
    connection: Connection,
    place: Place,
    limit: int,
    lease_s: float,
    reviewer: Reviewer | None = None,
    tenants: Sequence[str] | None = None,
) -> list[TakenReview]:
    """Takes pending reviews, oldest first; of one reviewer, and of these tenants alone, if they are named. One whose text is gone is ended by who removed the text, and left alone."""
    own = [] if reviewer is None else [reviews.c.reviewer == reviewer.value]
    own += [] if tenants is None else [reviews.c.tenant.in_(tenants)]
    candidates = (
        select(reviews.c.seq)
        .join(samples, samples.c.seq == reviews.c.sample_seq)
        .where(
            PENDING,
            FREE,
            *own,
            reviews.c.place == place.value,
            reviews.c.failures < MOST_FAILURES,
            samples.c.kept == Kept.TEXT,
        )
        .order_by(reviews.c.seq)
        .limit(limit)
        .with_for_update(of=reviews, skip_locked=True)
    )
    held = list(connection.execute(candidates).scalars())
    if not held:
        return []
    until = database_now() + literal(int(lease_s * 1_000_000), BigInteger())
    taken = (
        update(reviews)
        .where(reviews.c.seq.in_(held))
        .values(attempt=reviews.c.attempt + 1, failures=reviews.c.failures + 1, lease_until=until)
    )
    connection.execute(taken)
    names = ("seq", "attempt", "reviewer", "sample_seq", "tenant", "created_at", "drawn")
    statement = (
        select(
            *(reviews.c[name] for name in names),
            samples.c.stratum.label("rule"),
            *(samples.c[name] for name in ("question", "contexts", "response")),
        )
        .join(samples, samples.c.seq == reviews.c.sample_seq)
        .where(reviews.c.seq.in_(held))
        .order_by(reviews.c.seq)
    )
    rows = [row._asdict() for row in connection.execute(statement)]
    return [TakenReview(**(row | {"reviewer": Reviewer(row["reviewer"])})) for row in rows]


def _held(row: TakenReview) -> Any:
    return and_(reviews.c.seq == row.seq, reviews.c.attempt == row.attempt, PENDING)


def release_review(connection: Connection, row: TakenReview) -> None:
    """Gives it back at once; the take counts for nothing."""
    values: dict[Any, Any] = {reviews.c.lease_until: None, reviews.c.failures: reviews.c.failures - 1}
    connection.execute(update(reviews).where(_held(row)).values(values))


def put_drawn(connection: Connection, row: TakenReview, drawn: list[dict[str, Any]]) -> bool:
    """Stores alternative responses and passes the review on to the workers with an NLI model; False if it was not held.

    What drawing cost is booked with it now: its calls are over.
    """
    values: dict[str, Any] = {"drawn": drawn, "place": Place.LOCAL.value, "lease_until": None, "failures": 0}
    return int(connection.execute(update(reviews).where(_held(row)).values(values)).rowcount) > 0


def finish_review(
    connection: Connection,
    row: TakenReview,
    outcome: ReviewOutcome,
    by: ReviewedBy,
    now: datetime,
    transcript: list[dict[str, str]] | None = None,
) -> bool:
    """Ends a review that is still held, with what its calls took; False if it was not.

    Texts that were kept only for it go in the same transaction.
    """
    # Before the review's own row: of two reviews that end together one must see the other's end.
    connection.execute(select(samples.c.seq).where(samples.c.seq == row.sample_seq).with_for_update()).one()
    sums = sum_calls(connection, row.seq)
    values = ended(outcome, by, now) | sums | {"transcript": transcript, "lease_until": None}
    statement = update(reviews).where(_held(row)).values(values).returning(reviews.c.estimate_pico)
    estimate = connection.execute(statement).scalar_one_or_none()
    if estimate is None:
        return False
    _write_claims(connection, row.seq, outcome)
    remove_promised(connection, [row.sample_seq], now)
    if estimate:
        refund(connection, {row.tenant: int(estimate) - sums["cost_pico"]})
    return True


def remove_promised(connection: Connection, seqs: Iterable[int], now: datetime) -> None:
    """Removes the texts of samples that were to go with their end, once no review of them waits."""
    waiting = select(reviews.c.sample_seq).where(PENDING, reviews.c.sample_seq == samples.c.seq).exists()
    due = (
        update(samples)
        .where(
            samples.c.seq.in_(list(seqs)),
            samples.c.store_text != StoreText.FULL,
            samples.c.kept == Kept.TEXT,
            samples.c.state != State.PENDING,
            ~waiting,
        )
        .values(promised(now))
        .returning(samples.c.seq)
    )
    gone = list(connection.execute(due).scalars())
    if gone:
        connection.execute(update(reviews).where(reviews.c.sample_seq.in_(gone)).values(drawn=None, transcript=None))


def ended(outcome: ReviewOutcome, by: ReviewedBy, now: datetime) -> dict[str, Any]:
    """The columns of a review that has come to this end."""
    match outcome:
        case Judged():
            return _scored(outcome.scored, by, now) | {"votes": outcome.votes, "variance": outcome.variance}
        case Consistent():
            return _scored(outcome.scored, by, now) | {"votes": outcome.samples, "entropy": outcome.entropy}
        case NotApplicable():
            state, reason = State.NOT_APPLICABLE, outcome.reason.value
        case Unscored():
            state, reason = State.UNSCORED, outcome.reason.value
        case ReviewReason():
            state, reason = State.UNSCORED, outcome.value
    # The fingerprint stays with what gave no score: it tells which judge could not.
    return {
        "state": state.value,
        "state_reason": reason,
        "finished_at": now,
        "fingerprint": by.fingerprint or None,
        "attributes": by.attributes or None,
    }


def _scored(scored: Scored, by: ReviewedBy, now: datetime) -> dict[str, Any]:
    names = ("score", "flagged", "threshold", "claims_checked", "claims_flagged")
    return {
        "state": State.SCORED.value,
        "state_reason": None,
        "finished_at": now,
        "fingerprint": by.fingerprint,
        "attributes": by.attributes,
        **{name: getattr(scored, name) for name in names},
    }


def _write_claims(connection: Connection, seq: int, outcome: ReviewOutcome) -> None:
    if not isinstance(outcome, (Judged, Consistent)):
        return
    rows = [
        {
            "review_seq": seq,
            "position": position,
            "start": claim.start,
            "end": claim.end,
            "verdict": claim.verdict.value,
            "score": claim.score,
            "evidence_context": claim.evidence.context_index if claim.evidence else None,
            "evidence_start": claim.evidence.start if claim.evidence else None,
            "evidence_end": claim.evidence.end if claim.evidence else None,
        }
        for position, claim in enumerate(outcome.scored.claims)
    ]
    if rows:
        connection.execute(review_claims.insert(), rows)


def any_reviews(connection: Connection, place: Place) -> bool:
    """Whether any waits there under no lease; cost does not grow with their number."""
    statement = (
        select(reviews.c.seq)
        .where(PENDING, FREE, reviews.c.place == place.value, reviews.c.failures < MOST_FAILURES)
        .limit(1)
    )
    return connection.execute(statement).first() is not None
