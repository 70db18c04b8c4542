"""Votes: what people said of the responses and claims that they labelled."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection, select

from service.core.agreement import Votes
from service.core.clock import EPOCH
from service.core.label_tables import Annotator, Verdict, labels


def read_votes(connection: Connection, tenant: str, start: datetime, end: datetime) -> list[Votes]:
    """Of samples received on these days, in UTC; of an annotator's labels of one thing the latest counts; one statement."""
    statement = (
        select(labels.c.sample_seq, labels.c.claim_start, labels.c.claim_end, labels.c.annotator, labels.c.verdict)
        .where(
            labels.c.tenant == tenant,
            labels.c.day.between((start - EPOCH).days, (end - EPOCH).days),
            labels.c.kind == Annotator.HUMAN,
        )
        .order_by(labels.c.updated_at, labels.c.seq)
    )
    said: dict[tuple[int, int, int], dict[str, str]] = defaultdict(dict)
    for row in connection.execute(statement):
        said[row.sample_seq, row.claim_start, row.claim_end][row.annotator] = row.verdict
    votes = [list(by_annotator.values()) for by_annotator in said.values()]
    return [Votes(hallucinated=v.count(Verdict.HALLUCINATED), faithful=v.count(Verdict.FAITHFUL)) for v in votes]
