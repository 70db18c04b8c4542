"""The tables of reviews: one further scorer's work on a sample, the calls it took, and what they cost."""

from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from service.core.clock import UtcTime
from service.core.tables import Key, metadata


class Reviewer(StrEnum):
    """A scorer that looks at samples beside the first one."""

    JUDGE = "judge"  # a large language model that is asked for a verdict on each claim
    CONSISTENCY = "consistency"  # the response against alternative responses to the same question


class Place(StrEnum):
    """Where a review is worked on next."""

    REMOTE = "remote"  # by a judge worker, which calls a language model
    LOCAL = "local"  # by a worker, on its NLI model


class Why(StrEnum):
    """Why a sample got a review."""

    BAND = "band"  # the first score is in the uncertain band, or there is none
    FLOOR = "floor"  # outside it, by the floor probability
    SENT = "sent"  # alternative responses came with the submission
    DRAWN = "drawn"  # by the share for which alternative responses are drawn


class CallState(StrEnum):
    """What has become of a call to a language model."""

    OPEN = "open"  # begun; its cost is the most it can be
    ANSWERED = "answered"  # its cost is what it used
    FAILED = "failed"  # it used nothing: refused, or never reached
    UNKNOWN = "unknown"  # lost on the way, so that nobody can tell; its cost is the most it can be


# One for each sample and reviewer, written with the first score's end. States are those of samples.
reviews = Table(
    "reviews",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("sample_seq", Key, ForeignKey("samples.seq"), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("reviewer", String(16), nullable=False),  # a Reviewer
    Column("why", String(16), nullable=False),  # a Why
    Column("probability", Float, nullable=False),  # with which it was chosen, given the sample and its first score
    Column("created_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),  # a State
    Column("state_reason", String(64)),
    Column("finished_at", UtcTime),
    # what came out; null unless scored
    Column("fingerprint", String(64)),
    Column("score", Float),
    Column("flagged", Boolean),
    Column("threshold", Float),
    Column("claims_checked", Integer),
    Column("claims_flagged", Integer),
    Column("entropy", Float),  # of consistency: semantic entropy over its greatest value, 0..1
    Column("attributes", JSON(none_as_null=True)),
    # votes of the judge; alternative responses that were compared
    Column("votes", Integer),
    Column("variance", Float),  # of the score between votes; null for a single one
    # what it took
    Column("calls", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_pico", BigInteger, nullable=False),  # of the policy's currency, 1e-12
    Column("estimate_pico", BigInteger, nullable=False),  # what it was taken to cost when it was chosen
    # texts; gone with those of the sample
    Column("drawn", JSON(none_as_null=True)),  # alternative responses [{text, likelihood}]
    Column("transcript", JSON(none_as_null=True)),  # of a judge that could not be understood, bounded
    # taking
    Column("place", String(8), nullable=False),  # a Place
    Column("attempt", Integer, nullable=False),  # the fencing token: counts takes, only ever grows
    Column("failures", Integer, nullable=False),  # takes that were not given back untouched
    Column("lease_until", UtcTime),
    UniqueConstraint("sample_seq", "reviewer"),
    CheckConstraint("probability > 0 AND probability <= 1", name="probability"),
    Index("ix_reviews_tenant", "tenant", "reviewer", "created_at"),
    Index(
        "ix_reviews_pending",
        "place",
        "seq",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

# As `claims`, of a review.
review_claims = Table(
    "review_claims",
    metadata,
    Column("review_seq", Key, ForeignKey("reviews.seq"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("score", Float),
    Column("evidence_context", Integer),  # position of the context
    Column("evidence_start", Integer),
    Column("evidence_end", Integer),
)

# One row a call, made before it begins: what is not in here was never sent.
llm_calls = Table(
    "llm_calls",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("review_seq", Key, ForeignKey("reviews.seq")),  # null: of no sample, a probe
    Column("tenant", String(64), nullable=False),
    Column("rule", String(64), nullable=False),  # the sample's stratum
    Column("day", Integer, nullable=False),  # since 1970, UTC, of its begin
    Column("purpose", String(16), nullable=False),  # judge, repair, draw, probe
    Column("model", String(200), nullable=False),
    Column("state", String(16), nullable=False),  # a CallState
    Column("reason", String(64)),  # why it failed
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cost_pico", BigInteger, nullable=False),
    Index("ix_llm_calls_day", "tenant", "day", "rule"),
    Index("ix_llm_calls_review", "review_seq"),
    Index(
        "ix_llm_calls_open", "started_at", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")
    ),
)

# What a tenant's calls of a day cost, at most: the sum of `cost_pico` over `llm_calls`, kept for the limit.
llm_spend = Table(
    "llm_spend",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("cost_pico", BigInteger, nullable=False),
)

# The token bucket that scales a tenant's probabilities of being judged.
llm_budgets = Table(
    "llm_budgets",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("level_pico", BigInteger, nullable=False),
    Column("filled_at", UtcTime, nullable=False),
)

# The circuit breaker of each judge worker, so that everybody can see it.
llm_circuits = Table(
    "llm_circuits",
    metadata,
    Column("endpoint", String(200), primary_key=True),  # its purpose and host: no path, no secret
    Column("holder", String(64), primary_key=True),
    Column("state", String(16), nullable=False),  # closed, open, half_open
    Column("reason", String(64)),
    Column("since", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)
