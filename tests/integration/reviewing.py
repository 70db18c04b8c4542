"""What the tests of reviews share: a policy with a judge, samples that have just been scored, reviews as stored."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from models.types import Outcome
from service.core.clock import utc_now
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from service.core.review_tables import Place, Reviewer, reviews
from service.core.store.reviews import ReviewedBy, TakenReview, take_reviews
from service.core.store.taking import Finished, finish
from service.core.tables import samples
from tests.integration.support import BY, new_sample, store, take
from workers.policy_file import PolicyFile
from workers.reviewing import Reviewing

JUDGED_BY = ReviewedBy(fingerprint="j1", attributes={"model": "m"})
COMPARED_BY = ReviewedBy(fingerprint="c1", attributes={})
JUDGE = """
[judge]
url = "http://127.0.0.1:9/v1"
allow_private = true
model = "m"
tenants = ["default"]
input_price = 1
output_price = 2
cascade = { band = [0.2, 0.8], floor = 0.0 }
[spend]
cost = 100
"""


def written(folder: Path, text: str = JUDGE) -> PolicyFile:
    """A policy file with this text."""
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return PolicyFile(path)


class Always(random.Random):
    """Chance that gives one number."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__(0)
        self._value = value

    def random(self) -> float:
        return self._value


def reviewing_by(policy_file: PolicyFile | None, draw: random.Random | None = None) -> Reviewing:
    """What a worker decides with."""
    return Reviewing(policy_file=policy_file, metrics=WorkerMetrics(), draw=draw or Always())


def end(database: Database, by: Reviewing, outcomes: Sequence[Outcome], **changes: Any) -> list[int]:
    """Accepts, takes and ends one sample for each outcome as a worker does; the numbers of those that counted."""
    with database.read() as connection:
        before = len(connection.execute(select(samples.c.seq)).all())
    store(database, *(new_sample(f"s{before + n}", **changes) for n in range(len(outcomes))))
    rows = take(database)
    finished = [Finished(taken=row, outcome=outcome) for row, outcome in zip(rows, outcomes, strict=True)]
    return end_taken(database, by, finished)


def end_taken(database: Database, by: Reviewing, finished: Sequence[Finished]) -> list[int]:
    """Ends taken rows, with their reviews, in one transaction."""
    now = utc_now()
    with database.write() as connection:
        chosen = by.choose(connection, finished, COMPARED_BY)
        counted = finish(connection, finished, BY, now, chosen.keep)
        by.write(connection, chosen, {row.taken.seq for row in counted}, now)
    return [row.taken.seq for row in counted]


def rows_of(database: Database) -> list[Any]:
    """All reviews with the ids of their samples, oldest first."""
    with database.read() as connection:
        statement = select(reviews, samples.c.id.label("sample")).join(samples, samples.c.seq == reviews.c.sample_seq)
        return list(connection.execute(statement.order_by(reviews.c.seq)))


def probabilities(database: Database) -> list[float | None]:
    """Of being judged, of all samples, oldest first."""
    with database.read() as connection:
        return list(connection.execute(select(samples.c.judge_probability).order_by(samples.c.seq)).scalars())


def take_for(
    database: Database, place: Place = Place.REMOTE, reviewer: Reviewer | None = None, lease_s: float = 60
) -> list[TakenReview]:
    """Takes reviews in a transaction of its own."""
    with database.write() as connection:
        return take_reviews(connection, place, 10, lease_s, reviewer)
