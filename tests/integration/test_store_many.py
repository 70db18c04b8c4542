"""Many rows at once: as few statements as for one, and not a character changed."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from models.types import NotApplicable, NotApplicableReason
from service.core.db import Database
from service.core.store.samples import read_sample
from service.core.store.taking import Finished, finish, take_alone, take_fresh
from service.core.tables import claims, scores
from tests.integration.support import BY, LIMITS, NOW, new_sample, row_of, scored, statements, store, take

TEXTS = [
    "plain",
    'quotes " and \\ and \\u0041 and \\n as written',
    "line\nbreaks\r\n, a tab\t, a separator \u2028 and a bell \a",
    "emoji 🫖, a combining e\u0301, Arabic شاي, and \U0010ffff",
    "null, true, 1, {}, [], %s, %(name)s, :name, $1",
    " spaces around ",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back_as_they_were(database: Database, text: str) -> None:
    """Question, contexts, details and response are stored and taken as sent, whatever characters they hold."""
    contexts = [{"id": text, "text": text, "score": 1e-300}, {"id": "1", "text": text, "score": None}]
    store(database, new_sample("a", question=text, contexts=contexts, response=text, details={text: [text]}))
    (taken,) = take(database)
    assert (taken.question, taken.contexts, taken.response) == (text, contexts, text)
    row = row_of(database, "a")
    assert (row.details, row.received_at, row.in_rate) == ({text: [text]}, NOW, True)


def test_what_is_absent_stays_absent(database: Database) -> None:
    """No question is no question, also beside a row that has one."""
    store(database, new_sample("a"), new_sample("b", question="null"))
    assert [row.question for row in take(database)] == [None, "null"]


def test_scores_and_claims_keep_their_numbers(database: Database) -> None:
    """What a worker computed is what is stored, to the last digit, each claim with its own score."""
    store(database, *[new_sample(f"s-{n}") for n in range(3)])
    outcomes = [scored(score) for score in (1 / 3, 0.1 + 0.2, 1e-17)]
    with database.write() as connection:
        rows = take_fresh(connection, LIMITS)
        finish(connection, [Finished(taken=r, outcome=o) for r, o in zip(rows, outcomes, strict=True)], BY, NOW)
    for n, outcome in enumerate(outcomes):
        with database.read() as connection:
            stored = read_sample(connection, "default", f"s-{n}")
        assert stored is not None
        (score,) = stored.scores
        assert (score.score, score.flagged, score.attributes, score.created_at) == (
            outcome.score,
            True,
            {"backend": "none"},
            NOW,
        )
        greeting, *others = stored.claims
        assert (greeting.position, greeting.score, greeting.evidence_context) == (0, None, None)
        assert {claim.score for claim in others} == {outcome.score}


@pytest.mark.parametrize("rows", [1, 50])
def test_a_take_and_its_finish_are_six_statements(database: Database, rows: int) -> None:
    """However many rows: find, hold, end, scores, claims, rollups."""
    store(database, *[new_sample(f"s-{n}") for n in range(rows)])
    with statements(database) as seen, database.write() as connection:
        taken = take_fresh(connection, LIMITS)
        finish(connection, [Finished(taken=row, outcome=scored()) for row in taken], BY, NOW)
    assert [statement.split()[0] for statement in seen] == ["SELECT", "UPDATE", "UPDATE", "INSERT", "INSERT", "INSERT"]


def test_rows_without_a_score_write_none(database: Database) -> None:
    """Only scored rows have score rows; each kind of outcome is one statement."""
    store(database, *[new_sample(f"s-{n}") for n in range(4)])
    empty = NotApplicable(reason=NotApplicableReason.NO_CLAIMS)
    with database.write() as connection:
        taken = take_fresh(connection, LIMITS)
        with statements(database) as seen:
            done = finish(
                connection,
                [Finished(taken=row, outcome=scored() if n % 2 else empty) for n, row in enumerate(taken)],
                BY,
                NOW,
            )
    assert [row.taken.seq for row in done] == [row.seq for row in taken]
    assert len(seen) == 5
    with database.read() as connection:
        held = connection.execute(select(scores.c.sample_seq)).scalars().all()
    assert held == [taken[1].seq, taken[3].seq]


def test_a_lost_row_among_many_writes_nothing(database: Database) -> None:
    """Fencing is row by row: what another has taken over is left alone, its neighbours count."""
    store(database, *[new_sample(f"s-{n}") for n in range(3)])
    with database.write() as connection:
        taken = take_fresh(connection, replace(LIMITS, lease_s=0))
    with database.write() as connection:
        (stolen,) = take_alone(connection, LIMITS)
    with database.write() as connection:
        done = finish(connection, [Finished(taken=row, outcome=scored()) for row in taken], BY, NOW)
    assert [row.taken.seq for row in done] == [row.seq for row in taken if row.seq != stolen.seq]
    with database.read() as connection:
        assert len(connection.execute(select(scores.c.seq)).all()) == 2
        assert len(connection.execute(select(claims.c.position)).all()) == 6
