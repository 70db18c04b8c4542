"""The tables of golden runs: sets as they were run, runs over them, and what became of every answer."""

from enum import StrEnum

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from service.core.clock import UtcTime
from service.core.tables import Key, StoreText, metadata


class Origin(StrEnum):
    """Who made a run."""

    API = "api"  # POST /golden-runs; workers score it
    CLI = "cli"  # `assay golden run`, which stores what it has done


# The items of a run, in its order; runs of the same items share a row. Gone with the last of them.
golden_sets = Table(
    "golden_sets",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("content", String(64), nullable=False),  # digest of all that `items` says, their order too
    Column("digest", String(64), nullable=False),  # as `service.core.golden.item.set_digest`
    Column("items", JSON, nullable=False),  # [GoldenItem]
    UniqueConstraint("tenant", "name", "content"),
    sqlite_autoincrement=True,
)

golden_runs = Table(
    "golden_runs",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("id", String(64), nullable=False),
    Column("body_digest", String(64), nullable=False),  # same id and same digest: the same run
    Column("set_seq", Key, ForeignKey("golden_sets.seq"), nullable=False),
    Column("kind", String(16), nullable=False),  # a TargetKind
    Column("target", Text, nullable=False),
    Column("release", Text, nullable=False),
    Column("git_commit", Text, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("baseline", String(64)),  # the id of the run that it is compared with; it may be gone, or never was here
    Column("margin", Float),  # null: derived from the sizes
    Column("quarantined", JSON, nullable=False),  # ids of items that count for nothing
    Column("store_text", String(8), nullable=False, server_default=StoreText.FULL.value),  # promised when it came
    Column("origin", String(8), nullable=False),  # an Origin
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),  # null: some answers are pending
    Column("fingerprint", String(64)),  # of the scorer; null: not finished, none, or more than one
    Column("known_answers", JSON(none_as_null=True)),  # KnownAnswers; null: the scorer was not asked
    Column("runtime", JSON(none_as_null=True)),  # of the scorer, or of all that shared the run; null: unknown
    UniqueConstraint("tenant", "id"),
    Index("ix_golden_runs_set", "set_seq"),
    # A worker may hold answers of a run that is removed meanwhile: its number must not come again.
    sqlite_autoincrement=True,
)

golden_answers = Table(
    "golden_answers",
    metadata,
    Column("run_seq", Key, ForeignKey("golden_runs.seq"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),  # of the item in its set
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),  # an AnswerState
    Column("reason", Text),  # of any state but `scored`
    Column("fingerprint", String(64)),  # of the scorer that ended it; null: none did
    Column("score", Float),
    Column("flagged", Boolean),
    Column("threshold", Float),
    Column("seconds", Float),  # until the application had answered
    # taking
    Column("tokens", Integer, nullable=False),  # estimated pair tokens
    Column("attempt", Integer, nullable=False),  # the fencing token: counts takes, only ever grows
    Column("returns", Integer, nullable=False),  # takes given back untouched; one with attempt > returns goes alone
    Column("alone_attempts", Integer, nullable=False),  # takes alone; only these count towards giving up
    Column("lease_until", UtcTime),
    # texts, behind what is read of many rows
    Column("response", Text),  # of an application; null: the item's own, or not kept
    Column("claims", JSON(none_as_null=True)),  # [ClaimAnswer]
    CheckConstraint("score >= 0 AND score <= 1", name="score"),
    Index(
        "ix_golden_answers_pending",
        "run_seq",
        "position",
        "repeat",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    # Taken before: few, and found without a walk over all that wait.
    Index(
        "ix_golden_answers_touched",
        "run_seq",
        "position",
        "repeat",
        sqlite_where=text("state = 'pending' AND attempt > returns"),
        postgresql_where=text("state = 'pending' AND attempt > returns"),
    ),
)
