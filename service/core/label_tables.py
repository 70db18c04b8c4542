"""The tables of what people say of samples: labels, which samples were drawn for labelling, and end users' feedback."""

from enum import StrEnum

from sqlalchemy import (
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
from service.core.tables import Key, metadata

WHOLE = -1  # `claim_start` and `claim_end` of a label of the whole response


class Verdict(StrEnum):
    """What a label says of a response or a claim."""

    FAITHFUL = "faithful"  # the contexts support it
    HALLUCINATED = "hallucinated"  # the contexts contradict it, or do not say it
    UNSURE = "unsure"  # cannot be told, or states nothing that could be checked; in no estimate


class Annotator(StrEnum):
    """Who labelled; only people correct rates."""

    HUMAN = "human"
    LLM = "llm"
    CODE = "code"


class Rating(StrEnum):
    """What an end user signalled."""

    UP = "up"
    DOWN = "down"


labels = Table(
    "labels",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("sample_seq", Key, ForeignKey("samples.seq"), nullable=False),
    Column("day", Integer, nullable=False),  # of the sample's receipt, since 1970, UTC
    Column("claim_start", Integer, nullable=False),  # code points of the response; WHOLE
    Column("claim_end", Integer, nullable=False),
    Column("annotator", String(200), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("identifier", String(200), nullable=False),  # the same one again replaces; empty if none was given
    Column("verdict", String(16), nullable=False),
    Column("comment", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint(
        "sample_seq", "claim_start", "claim_end", "annotator", "kind", "identifier", name="uq_labels_target"
    ),
    Index("ix_labels_day", "tenant", "day"),
    Index(
        "ix_labels_comment",
        "tenant",
        "day",
        sqlite_where=text("comment IS NOT NULL"),
        postgresql_where=text("comment IS NOT NULL"),
    ),
)

# How far the samples of a part of a day have been drawn: all of them with position / size below `cutoff` are tasks. A part
# is closed: all that was received in it had ended when it was made, so what belongs to it is known.
label_pools = Table(
    "label_pools",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC, of receipt
    Column("part", Integer, primary_key=True, autoincrement=False),  # of the day, from 0
    Column("begin", UtcTime, nullable=False),  # of receipt, inclusive
    Column("until", UtcTime, nullable=False),  # exclusive
    Column("cutoff", Float, nullable=False),
)

# A sample drawn for labelling. Its probability is min(1, size x its pool's cutoff), whether it is labelled yet or not.
label_tasks = Table(
    "label_tasks",
    metadata,
    Column("sample_seq", Key, ForeignKey("samples.seq"), primary_key=True, autoincrement=False),
    Column("tenant", String(64), nullable=False),
    Column("day", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("size", Float, nullable=False),
    Column("ratio", Float, nullable=False),  # position / size: tasks are handed out in this order
    Column("twice", Boolean, nullable=False),  # two people are to label it, neither seeing what the other said
    Column("drawn_at", UtcTime, nullable=False),
    Column("held_by", String(200)),
    Column("held_until", UtcTime),
    CheckConstraint("size > 0", name="size"),
    Index("ix_label_tasks_order", "tenant", "day", "ratio"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("sample_id", String(200), nullable=False),  # of the submission, sampled or not; empty if the trace is given
    Column("trace_id", String(200), nullable=False),
    Column("rating", String(8), nullable=False),
    Column("identifier", String(200), nullable=False),
    Column("comment", Text),
    Column("received_at", UtcTime, nullable=False),
    UniqueConstraint("tenant", "sample_id", "trace_id", "identifier"),
    Index("ix_feedback_received", "tenant", "received_at"),
    Index(
        "ix_feedback_comment",
        "tenant",
        "received_at",
        sqlite_where=text("comment IS NOT NULL"),
        postgresql_where=text("comment IS NOT NULL"),
    ),
)
