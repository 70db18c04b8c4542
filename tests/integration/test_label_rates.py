"""Rates by labels, through the store: what was drawn when, where a query is cut and in which order labels come bias nothing."""

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Column, func, insert, literal, select

from models.types import Outcome
from service.core.clock import EPOCH
from service.core.correction import Corrected
from service.core.db import Database
from service.core.estimate import Estimand
from service.core.label_draw import size_of
from service.core.label_tables import Annotator, Verdict, label_pools, label_tasks, labels
from service.core.rate_answer import read_known
from service.core.rates import Question, make_buckets
from service.core.store.drawing import draw_tasks, still_there
from service.core.store.labels import Asked, NewLabel, hand_out, upsert_labels
from service.core.store.rates import Stretch, read_counted
from service.core.store.removal import FIRST, NEVER, By, Depth, Removal, remove_batch
from service.core.store.samples import NewSample, accept, read_sample_of
from service.core.store.taking import Finished, TakeLimits, finish, take_fresh
from service.core.tables import scores
from tests.integration.support import BY, new_sample, scored

DAY = datetime(2026, 7, 1, tzinfo=UTC)
ALL = TakeLimits(rows=100_000, tokens=10**12, lease_s=60)


def arrive(database: Database, draw: random.Random, when: Sequence[datetime], prefix: str, bad: float) -> None:
    """Scored samples, some of them bad; the scorer knows little: it says 0.9 of a third of the bad and 0.15 of the rest."""
    rows, outcomes = [], {}
    for n, moment in enumerate(when):
        truth = draw.random() < bad
        name = f"{prefix}-{n}-{'bad' if truth else 'good'}"
        row = new_sample(
            name, received_at=moment, label_key=(moment - EPOCH).days + draw.random(), inclusion_probability=1.0
        )
        rows.append(row)
        outcomes[row.response] = _score(draw, truth=truth)
    _store(database, rows, outcomes)


def _score(draw: random.Random, *, truth: bool) -> Outcome:
    high = draw.random() < (0.33 if truth else 0.03)
    return scored(0.9, flagged=True, checked=1) if high else scored(0.15, flagged=False, checked=1)


def _store(database: Database, rows: list[NewSample], outcomes: dict[str, Outcome]) -> None:
    with database.write() as connection:
        accept(connection, rows)
        taken = take_fresh(connection, ALL)
        finish(connection, [Finished(taken=row, outcome=outcomes[row.response]) for row in taken], BY, DAY)


def work(database: Database, now: datetime, labels: int, days: int) -> int:
    """One person labels as it is handed out, telling the truth; returns how many were there."""
    today = (now - EPOCH).days
    asked = Asked(tenant="default", annotator="mira", first_day=today - days + 1, last_day=today)
    for done in range(labels):
        with database.write() as connection:
            seq = hand_out(connection, asked, now)
        if seq is None:
            draw_tasks(database, asked, 20, now, 0.0)
            with database.write() as connection:
                seq = hand_out(connection, asked, now)
        if seq is None:
            return done
        with database.write() as connection:
            name = read_sample_of(connection, seq).sample.id
            verdict = Verdict.HALLUCINATED if name.endswith("bad") else Verdict.FAITHFUL
            label = NewLabel(
                sample_id=name,
                claim=None,
                annotator="mira",
                kind=Annotator.HUMAN,
                identifier="",
                verdict=verdict,
                comment=None,
            )
            upsert_labels(connection, "default", [label], now)
    return labels


def rate(database: Database, start: datetime, end: datetime) -> Corrected:
    stretch = Stretch(tenant="default", start=start, end=end, width_s=int((end - start).total_seconds()), group_by=())
    question = Question(stretch=stretch, estimand=Estimand.PROCESS)
    with database.read() as connection:
        counted = read_counted(connection, stretch)
        (bucket,) = make_buckets(question, counted, read_known(connection, question, counted))
    assert bucket.hallucination is not None
    return bucket.hallucination


def evenly(start: datetime, hours: float, count: int) -> list[datetime]:
    return [start + timedelta(hours=hours) * n / count for n in range(count)]


@pytest.fixture
def database_url(make_url: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    """On SQLite: what is tested is arithmetic over what is read, the same on both."""
    url = make_url("sqlite")
    shutil.copy(request.getfixturevalue("_upgraded_sqlite"), url.removeprefix("sqlite:///"))
    return url


def test_a_query_cut_within_a_day(database: Database) -> None:
    """All is labelled; a day of which the query has a part weighs as that part."""
    draw = random.Random(1)
    arrive(database, draw, evenly(DAY, 24, 200), "first", 0.0)
    arrive(database, draw, evenly(DAY + timedelta(days=1), 24, 200), "second", 1.0)
    now = DAY + timedelta(days=2, hours=1)
    assert work(database, now, 1_000, 3) == 400
    found = rate(database, DAY, DAY + timedelta(days=1, hours=6))
    assert found.rate == pytest.approx(50 / 250)
    assert not found.borrowed


def test_labels_that_began_early_in_the_day(database: Database) -> None:
    """A few samples are drawn first, all of them; thousands come later and are drawn in their turn, with their weights."""
    draw = random.Random(2)
    arrive(database, draw, evenly(DAY, 0.2, 15), "early", 0.0)
    assert work(database, DAY + timedelta(hours=1), 50, 1) == 15
    arrive(database, draw, evenly(DAY + timedelta(hours=1), 22, 2_000), "late", 0.5)
    assert work(database, DAY + timedelta(days=1, hours=1), 120, 2) == 120
    found = rate(database, DAY, DAY + timedelta(days=1))
    assert found.rate is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.5 < found.high
    assert abs(found.rate - 0.5) < 0.15
    assert not found.borrowed


def test_labels_of_one_day_asked_for_a_month(database: Database) -> None:
    """Labels that stand for a tenth of what was scored speak of another time: the answer says that it is borrowed."""
    draw = random.Random(3)
    for day in range(10):
        arrive(database, draw, evenly(DAY + timedelta(days=day), 24, 60), f"d{day}", 0.3)
    now = DAY + timedelta(days=10, minutes=5)
    assert work(database, now, 50, 2) == 50
    found = rate(database, DAY, DAY + timedelta(days=10))
    assert found.borrowed
    assert found.rate is not None
    assert found.labelled_share is not None
    assert found.labelled_share == pytest.approx(0.1, abs=0.05)
    assert found.labels_needed > 100  # as many as stand for half of ten days
    own = rate(database, DAY + timedelta(days=9), DAY + timedelta(days=10))
    assert not own.borrowed
    assert own.labelled_share is not None
    assert own.labelled_share > 0.8


def test_a_task_left_out_in_the_middle_waits(database: Database) -> None:
    """What was labelled behind a task that somebody holds is not used before that one is, so that the order biases nothing."""
    draw = random.Random(4)
    arrive(database, draw, evenly(DAY, 24, 300), "s", 0.4)
    now = DAY + timedelta(days=1, minutes=5)
    asked = Asked(tenant="default", annotator="jo", first_day=(DAY - EPOCH).days, last_day=(DAY - EPOCH).days)
    draw_tasks(database, asked, 60, now, 0.0)
    with database.write() as connection:
        assert hand_out(connection, asked, now) is not None  # jo holds the first, and goes home
    assert work(database, now, 50, 2) == 50
    assert rate(database, DAY, DAY + timedelta(days=1)).n_labels == 0
    assert work(database, now + timedelta(hours=1), 1, 2) == 1
    assert rate(database, DAY, DAY + timedelta(days=1)).n_labels == 51


def test_over_many_days_the_mean_is_the_truth(database: Database) -> None:
    """Partly labelled, with sizes that saturate: over 40 days the mean of the estimates is the truth."""
    draw = random.Random(5)
    truth, found = [], []
    for day in range(40):
        begin = DAY + timedelta(days=3 * day)
        arrive(database, draw, evenly(begin, 24, 70), f"d{day}", 0.4)
        assert work(database, begin + timedelta(days=1, minutes=5), 45, 2) == 45
        estimated = rate(database, begin, begin + timedelta(days=1))
        assert estimated.rate is not None
        found.append(estimated.rate)
        truth.append(0.4)
    assert float(np.mean(found)) == pytest.approx(0.4, abs=3 * float(np.std(found)) / 40**0.5)
    assert float(np.std(found)) < 0.12


def test_a_sample_keeps_the_size_of_its_first_score(database: Database) -> None:
    """Scored again between two draws, with scores that say the opposite: what it stands for is what it was."""
    draw = random.Random(6)
    arrive(database, draw, evenly(DAY, 24, 400), "s", 0.4)
    now = DAY + timedelta(days=1, minutes=5)
    asked = Asked(tenant="default", annotator="mira", first_day=(DAY - EPOCH).days, last_day=(DAY - EPOCH).days)
    draw_tasks(database, asked, 40, now, 0.0)
    with database.write() as connection:
        connection.execute(
            insert(scores).from_select(
                [c.name for c in scores.c if c.name != "seq"],
                select(*[_turned(c) for c in scores.c if c.name != "seq"]),
            )
        )
    draw_tasks(database, asked, 40, now, 0.0)
    with database.read() as connection:
        sizes = connection.execute(
            select(label_tasks.c.size, scores.c.score)
            .join(scores, scores.c.sample_seq == label_tasks.c.sample_seq)
            .where(scores.c.fingerprint == BY.fingerprint)
        ).all()
    assert len(sizes) >= 80
    assert all(row.size == pytest.approx(size_of(row.score, 1.0)) for row in sizes)


def _turned(column: Column[Any]) -> Any:
    if column.name == "fingerprint":
        return literal("f2").label("fingerprint")
    return (1.03 - column).label("score") if column.name == "score" else column


def test_of_an_erased_sample_nothing_is_drawn(database: Database) -> None:
    """Between the draw's look and its write a row is erased: nothing that is made of its id is written."""
    draw = random.Random(7)
    arrive(database, draw, evenly(DAY, 24, 40), "s", 0.4)
    now = DAY + timedelta(days=1, minutes=5)
    tasks = [
        {"sample_seq": seq, "tenant": "default", "day": 0, "part": 0, "size": 0.1, "ratio": 1.0, "twice": False}
        for seq in range(1, 41)
    ]
    removal = Removal(tenant="default", depth=Depth.ROWS, by=By.REQUEST, sample_id=_name(database, 3))
    with database.write() as connection:
        assert remove_batch(connection, removal, now, 9).samples == 1
        left = still_there(connection, tasks)
    assert sorted(task["sample_seq"] for task in left) == [seq for seq in range(1, 41) if seq != 3]


def _name(database: Database, seq: int) -> str:
    with database.read() as connection:
        return read_sample_of(connection, seq).sample.id


def test_parts_of_a_day_are_not_too_many(database: Database) -> None:
    """Draws that follow one another closely make no new part each: every part is read at every draw."""
    draw = random.Random(8)
    arrive(database, draw, evenly(DAY, 3, 600), "s", 0.4)
    asked = Asked(tenant="default", annotator="mira", first_day=(DAY - EPOCH).days, last_day=(DAY - EPOCH).days)
    for minute in range(60):
        draw_tasks(database, asked, 2, DAY + timedelta(minutes=60 + minute), 0.0)
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(label_pools)).scalar_one() <= 7


def test_what_came_after_a_draw_can_be_labelled_at_once(database: Database) -> None:
    """Where nothing else is left, a person who waits for work gets what has just ended, however short its part."""
    draw = random.Random(9)
    arrive(database, draw, evenly(DAY, 0.01, 5), "first", 0.4)
    assert work(database, DAY + timedelta(minutes=2), 50, 1) == 5
    arrive(database, draw, evenly(DAY + timedelta(minutes=2), 0.01, 5), "next", 0.4)
    assert work(database, DAY + timedelta(minutes=4), 50, 1) == 5


def test_erasure_changes_no_rate_and_admits_no_label(database: Database) -> None:
    """Whose label counts goes on to count without its row; whose waited for its turn never does, and lost its place."""
    draw = random.Random(10)
    arrive(database, draw, evenly(DAY, 24, 300), "s", 0.4)
    now = DAY + timedelta(days=1, minutes=5)
    day = (DAY - EPOCH).days
    assert work(database, now, 35, 2) == 35
    with database.write() as connection:  # jo holds the next one
        asked = Asked(tenant="default", annotator="jo", first_day=day, last_day=day)
        if (held := hand_out(connection, asked, now)) is None:
            pytest.fail("nothing was left")
    waiting = work(database, now, 4, 2)
    before = rate(database, DAY, DAY + timedelta(days=1))
    assert (waiting, before.n_labels) == (4, 35)
    removal = Removal(tenant="default", depth=Depth.ROWS, by=By.REQUEST)
    with database.read() as connection:
        labelled = list(connection.execute(select(labels.c.sample_seq).distinct()).scalars())
    for seq in labelled:
        with database.write() as connection:
            remove_batch(connection, replace(removal, sample_id=read_sample_of(connection, seq).sample.id), now, 9)
    after = rate(database, DAY, DAY + timedelta(days=1))
    assert (after.rate, after.n_labels) == (before.rate, 35)
    with database.write() as connection:
        remove_batch(connection, replace(removal, sample_id=read_sample_of(connection, held).sample.id), now, 9)
    assert rate(database, DAY, DAY + timedelta(days=1)).n_labels == 35
    with database.read() as connection:
        erased = select(label_tasks.c.ratio).where(label_tasks.c.sample_seq.in_(labelled)).distinct()
        assert set(connection.execute(erased).scalars()) == {FIRST, NEVER}
