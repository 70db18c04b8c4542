"""The tables. `migrations/` makes them; a test holds the two equal."""

from enum import StrEnum
from typing import Any

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
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from service.core.clock import UtcTime

URGENT, NORMAL = 0, 1  # priorities: a caller waits for the row, or nobody does

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in INTEGER columns


class State(StrEnum):
    """What has become of a sample."""

    PENDING = "pending"  # accepted, not finished; also while taken, under a lease
    SCORED = "scored"  # has a score row
    NOT_APPLICABLE = "not_applicable"  # nothing to check
    UNSCORED = "unscored"  # should have been scored and could not be


class StoreText(StrEnum):
    """What a tenant's policy promises about texts when a sample is accepted; stored with the sample."""

    NONE = "none"  # gone as soon as the sample is finished
    HASH = "hash"  # the same, but a keyed digest of each text stays
    FULL = "full"  # kept, until retention or a request removes it


class Kept(StrEnum):
    """What is still there of a sample."""

    TEXT = "text"  # all that was stored
    DIGEST = "digest"  # keyed digests instead of texts
    ROW = "row"  # neither: numbers, labels, offsets
    ANONYMOUS = "anonymous"  # only what rates are made of; no id, no metadata


class Outcome(StrEnum):
    """What became of a submission that has no row of its own."""

    SAMPLED_OUT = "sampled_out"  # not chosen
    DUPLICATE = "duplicate"  # the same sample sent again
    REJECTED_OVERLOAD = "rejected_overload"  # chosen, but too many rows were pending
    DROPPED_BY_CLIENT = "dropped_by_client"  # chosen, or not decided yet, and given up in the client's own process


samples = Table(
    "samples",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("id", String(200), nullable=False),
    Column("body_digest", String(64), nullable=False),  # same id and same digest: the same submission
    Column("received_at", UtcTime, nullable=False),
    # how it was chosen
    Column("decision", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("stratum", String(64), nullable=False),
    Column("inclusion_probability", Float, nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("in_rate", Boolean, nullable=False),  # false: scored on request although the hash left it out
    # what rates are grouped by; empty when the caller gave none
    Column("model", String(200), nullable=False),
    Column("release", String(200), nullable=False),
    Column("prompt_version", String(200), nullable=False),
    Column("route", String(200), nullable=False),
    # what was said
    Column("question", Text),
    Column("contexts", JSON, nullable=False),  # [{id, text, score}]
    Column("response", Text),  # null: removed, see `kept`
    Column("details", JSON, nullable=False),  # everything else the caller sent
    # what was promised of the texts, and what is left of them
    Column("session_id", String(200)),
    Column("trace_id", String(200)),
    Column(
        "label_key", Float
    ),  # day of receipt since 1970 + a uniform position, by which samples are drawn for labelling
    Column("store_text", String(8), nullable=False, server_default=StoreText.FULL.value),
    Column("redacted", JSON(none_as_null=True)),  # {rule: number of places}
    Column("text_digests", JSON(none_as_null=True)),  # {question, contexts, response, samples}
    Column("kept", String(16), nullable=False, server_default=Kept.TEXT.value),
    Column("text_removed_at", UtcTime),
    Column("text_removed_by", String(16)),
    # what has become of it
    Column("state", String(16), nullable=False),
    Column("state_reason", String(64)),
    Column("finished_at", UtcTime),
    # with which it was to be judged, given its first score; 0: money was spent; null: nothing decided that
    Column("judge_probability", Float),
    # taking
    Column("priority", Integer, nullable=False),  # lowest first: 0 if a caller waits for it, else 1
    Column("tokens", Integer, nullable=False),  # estimated pair tokens
    Column("attempt", Integer, nullable=False),  # the fencing token: counts takes, only ever grows
    Column("returns", Integer, nullable=False),  # takes given back untouched; a row with attempt > returns goes alone
    Column("alone_attempts", Integer, nullable=False),  # takes alone; only these count towards giving up
    Column("lease_until", UtcTime),
    UniqueConstraint("tenant", "id"),
    CheckConstraint("inclusion_probability >= 0 AND inclusion_probability <= 1", name="probability"),
    Index("ix_samples_rate", "tenant", "received_at"),
    Index("ix_samples_kept", "tenant", "kept", "received_at"),  # what is due for removal, oldest first
    Index(
        "ix_samples_session",
        "tenant",
        "session_id",
        sqlite_where=text("session_id IS NOT NULL"),
        postgresql_where=text("session_id IS NOT NULL"),
    ),
    Index(
        "ix_samples_pending",
        "priority",
        "seq",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_samples_label_key", "tenant", "label_key"),
    Index(
        "ix_samples_trace",
        "tenant",
        "trace_id",
        sqlite_where=text("trace_id IS NOT NULL"),
        postgresql_where=text("trace_id IS NOT NULL"),
    ),
    # What rates have to say of those that wait: few, whatever the table's size.
    Index(
        "ix_samples_waiting",
        "tenant",
        "received_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    # Taken before, so that they go alone: few, and found without a walk over all that wait.
    Index(
        "ix_samples_touched",
        "priority",
        "seq",
        sqlite_where=text("state = 'pending' AND attempt > returns"),
        postgresql_where=text("state = 'pending' AND attempt > returns"),
    ),
)

scores = Table(
    "scores",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("sample_seq", Key, ForeignKey("samples.seq"), nullable=False),
    Column("scorer", String(32), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("score", Float, nullable=False),
    Column("flagged", Boolean, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("claims_checked", Integer, nullable=False),
    Column("claims_flagged", Integer, nullable=False),
    Column("pairs", Integer, nullable=False),
    Column("attributes", JSON, nullable=False),  # backend, processor features
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("sample_seq", "scorer", "fingerprint"),
    CheckConstraint("score >= 0 AND score <= 1", name="score"),
)

claims = Table(
    "claims",
    metadata,
    Column("score_seq", Key, ForeignKey("scores.seq"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("score", Float),
    Column("entailment", Float),
    Column("neutral", Float),
    Column("contradiction", Float),
    Column("evidence_context", Integer),  # position of the context
    Column("evidence_start", Integer),
    Column("evidence_end", Integer),
)


def _counted() -> list[Column[Any]]:
    """What a rate needs to know of submissions: what they have in common, and sums over them."""
    names = [Column(name, String(200), primary_key=True) for name in ("model", "release", "prompt_version", "route")]
    sums = ("flagged", "claims", "claims_flagged", "claims_squares", "claims_flagged_squares", "claims_products")
    return [
        Column("width_s", Integer, primary_key=True, autoincrement=False),  # of the stretch of time
        Column("tenant", String(64), primary_key=True),
        Column("start", UtcTime, primary_key=True),
        *names,
        Column("stratum", String(64), primary_key=True),
        Column("inclusion_probability", Float, primary_key=True),
        Column("outcome", String(32), primary_key=True),  # an Outcome, a State but `pending`, or SCORES
        Column("fingerprint", String(64), primary_key=True),  # of SCORES; else empty
        Column("number", BigInteger, nullable=False),  # of submissions; of scores
        *(Column(name, BigInteger, nullable=False) for name in sums),
        Column("some_flagged", BigInteger, nullable=False),  # responses with a flagged claim
        Column("some_clean", BigInteger, nullable=False),  # responses with a checked claim that is not flagged
        Column("score_sum", Float, nullable=False),
        Column("score_squares", Float, nullable=False),
    ]


SCORES = "scores"  # the outcome of sums over scores; a sample that two fingerprints scored is in both

# Sums by minute, by hour and by day: what rates are read from. Only the elected ticker writes here.
rollups = Table("rollups", metadata, *_counted(), sqlite_with_rowid=False)

# What has happened since they were last brought up to date: written with what it counts, in the same transaction.
rollup_deltas = Table("rollup_deltas", metadata, Column("seq", Key, primary_key=True, autoincrement=True))
for _column in _counted():
    if _column.name != "width_s":
        rollup_deltas.append_column(Column(_column.name, _column.type, nullable=False))

# Which flushes were counted, so that a retried one counts once.
ledger_flushes = Table(
    "ledger_flushes",
    metadata,
    Column("replica", String(64), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("flushed_at", UtcTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("scopes", String(64), nullable=False),  # comma-separated
    Column("note", String(200), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

# Scored samples that are to be scored again by another scorer. A row goes when it is done.
rescores = Table(
    "rescores",
    metadata,
    Column("fingerprint", String(64), primary_key=True),  # of the scorer that is to do it; others leave it alone
    Column("sample_seq", Key, ForeignKey("samples.seq"), primary_key=True, autoincrement=False),
    Column("tenant", String(64), nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("attempt", Integer, nullable=False),  # the fencing token; a row that was taken before goes alone
    Column("lease_until", UtcTime),
    Index("ix_rescores_attempt", "fingerprint", "attempt"),
    Index("ix_rescores_sample", "sample_seq"),
)

# When each release was first seen, for the signal `new_release`.
releases = Table(
    "releases",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("release", String(200), primary_key=True),
    Column("first_seen", UtcTime, nullable=False),
    Index("ix_releases_first_seen", "first_seen"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", UtcTime, nullable=False),
)
