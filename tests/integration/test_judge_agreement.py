"""`assay judge agreement`: what the judge, the first scorer and people said of the same samples, through the store."""

import re
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import select
from typer.testing import CliRunner

from models.types import Judged
from service.core.clock import EPOCH, utc_now
from service.core.db import Database
from service.core.label_tables import Annotator, Verdict, label_pools, label_tasks
from service.core.review_tables import Place, Reviewer, Why
from service.core.store.agreeing import JudgedSample, read_judged
from service.core.store.labels import NewLabel, upsert_labels
from service.core.store.rates import Stretch
from service.core.store.reviews import NewReview, ReviewedBy, add_reviews
from service.core.tables import samples
from tests.integration.labelling import NOW, fill
from tests.integration.support import scored
from workers.cli import app


def judge(database: Database, verdicts: dict[str, bool], by: str = "j1") -> None:
    """Writes a judge's verdicts, each chosen with a probability of a quarter."""
    with database.write() as connection:
        seqs = {row.id: row.seq for row in connection.execute(select(samples.c.id, samples.c.seq))}
        made = [
            NewReview(
                sample_seq=seqs[name],
                tenant="default",
                reviewer=Reviewer.JUDGE,
                why=Why.FLOOR,
                probability=0.25,
                place=Place.REMOTE,
                outcome=Judged(scored=scored(0.9 if flagged else 0.1, flagged=flagged), votes=1, variance=None),
                by=ReviewedBy(fingerprint=by, attributes={}),
            )
            for name, flagged in verdicts.items()
        ]
        add_reviews(connection, made, NOW)


def say(database: Database, verdicts: dict[str, Verdict], annotator: str = "mira") -> None:
    """Writes what somebody says of whole responses."""
    wanted = [
        NewLabel(
            sample_id=name,
            claim=None,
            annotator=annotator,
            kind=Annotator.HUMAN,
            identifier="",
            verdict=verdict,
            comment=None,
        )
        for name, verdict in verdicts.items()
    ]
    with database.write() as connection:
        upsert_labels(connection, "default", wanted, utc_now())


def read(database: Database) -> list[JudgedSample]:
    stretch = Stretch(tenant="default", start=NOW, end=NOW + timedelta(minutes=1), width_s=60, group_by=())
    with database.read() as connection:
        return read_judged(connection, stretch)


def command(database: Database, *arguments: str, columns: int = 250) -> str:
    """What the command prints."""
    before = structlog.get_config()
    url = database.engine.url.render_as_string(hide_password=False)
    try:
        done = CliRunner().invoke(
            app, ["judge", "agreement", *arguments], env={"ASSAY_DATABASE_URL": url, "COLUMNS": str(columns)}
        )
    finally:
        structlog.configure(**before)
    assert done.exit_code == 0, done.output
    return done.output


def rows_of(said: str, name: str) -> list[list[str]]:
    """The cells of a comparison's rows: as judged, and by design."""
    lines = [line.strip() for line in said.splitlines() if line.strip().startswith(f"{name}, ") and ": " not in line]
    return [re.split(r" {2,}", line) for line in lines]


def drawn(database: Database, probabilities: dict[str, float]) -> None:
    """Makes them tasks of one part, each drawn with its probability."""
    place = {"tenant": "default", "day": (NOW - EPOCH).days, "part": 0}
    with database.write() as connection:
        seqs = {row.id: row.seq for row in connection.execute(select(samples.c.id, samples.c.seq))}
        pool = place | {"begin": NOW, "until": NOW + timedelta(minutes=1), "cutoff": 1.0}
        connection.execute(label_pools.insert(), [pool])
        tasks = [
            place | {"sample_seq": seqs[name], "size": size, "ratio": 0.5, "twice": False, "drawn_at": NOW}
            for name, size in probabilities.items()
        ]
        connection.execute(label_tasks.insert(), tasks)


def test_what_is_read(database: Database) -> None:
    """Each judged sample once, newest first, with the first score's verdict and what people say, if they do."""
    names = fill(database, 4)
    judge(database, {names[0]: True, names[1]: True, names[2]: False})
    say(database, {names[0]: Verdict.HALLUCINATED, names[3]: Verdict.FAITHFUL})
    say(database, {names[1]: Verdict.UNSURE})
    third, second, first = read(database)
    assert (first.by_judge, first.by_scorer, first.judge, first.scorer) == (True, True, "j1", "f1")
    assert (first.inclusion_probability, first.judge_probability) == (0.5, 0.25)
    assert first.people is not None
    assert (first.people.y, first.people.label_probability) == (1.0, None)
    assert (second.by_judge, second.by_scorer, second.people) == (True, False, None)
    assert (third.by_judge, third.by_scorer, third.people) == (False, False, None)


class TestCommand:
    pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the query has a test on both

    def test_three_comparisons(self, database: Database) -> None:
        """All that the first scorer flags people call hallucinated; the judge misses one of four."""
        names = fill(database, 20)
        bad = {name: at % 5 == 0 for at, name in enumerate(names)}
        judge(database, bad | {names[0]: False})
        say(database, {name: Verdict.HALLUCINATED if is_bad else Verdict.FAITHFUL for name, is_bad in bad.items()})
        said = command(database)
        cells = [rows_of(said, name)[0] for name in ("judge and people", "judge and NLI", "NLI and people")]
        assert [row[1] for row in cells] == ["20", "20", "20"]
        assert cells[0][3:7] == ["3", "0", "1", "16"]
        assert cells[0][7] == "0.950"
        assert cells[0][9] == "0.828"  # (0.95 - (3 x 4 + 17 x 16) / 400) / (1 - (3 x 4 + 17 x 16) / 400)
        assert cells[2][9] == "1.000"
        assert "judge and people, by design: nothing that both decided." in said

    def test_each_judge_has_a_table_of_its_own(self, database: Database) -> None:
        """Verdicts of two fingerprints are never mixed."""
        names = fill(database, 20)
        judge(database, dict.fromkeys(names[:12], True), by="older")
        judge(database, dict.fromkeys(names[12:], False), by="newer")
        said = command(database)
        assert said.index("Judge older, NLI f1") < said.index("Judge newer, NLI f1")
        assert "judge and NLI, as judged: one of the two says the same of everything." in said

    def test_a_narrow_terminal_gets_lines(self, database: Database) -> None:
        """Nothing is folded where a table has no room."""
        names = fill(database, 20)
        judge(database, {name: at % 5 == 0 for at, name in enumerate(names)})
        said = command(database, columns=80)
        told = said.partition("judge and NLI, as judged")[2].partition("judge and NLI, by design")[0]
        values = dict(re.split(r" {2,}", line.strip()) for line in told.splitlines() if line.strip())
        assert [values[name] for name in ("n", "both flag", "first only", "second only", "neither")] == [
            "20",
            "4",
            "0",
            "0",
            "16",
        ]
        assert "…" not in said
        assert "n 0" not in said

    def test_nothing_judged(self, database: Database) -> None:
        """Without a verdict there is a sentence and no table."""
        fill(database, 3)
        assert "No judge gave a verdict" in command(database)

    def test_by_design_people_count_once_they_were_drawn(self, database: Database) -> None:
        """Of what stands for something the judge and NLI are weighted; a sample scored on request stands for nothing."""
        names = fill(database, 10)
        fill(database, 1, prefix="asked", in_rate=False)
        judge(database, {name: at % 2 == 0 for at, name in enumerate(names)} | {"asked-0": True})
        plain, weighted = rows_of(command(database), "judge and NLI")
        assert (plain[1], weighted[1], weighted[2]) == ("11", "10", "10.0")

    def test_by_design_people_weigh_by_their_draw(self, database: Database) -> None:
        """Ten labels drawn with 0.5 and ten with 0.25: of the weights the rarer ones' are two thirds, worth 18 alike."""
        names = fill(database, 20)
        judge(database, {name: at < 12 for at, name in enumerate(names)})
        say(database, {name: Verdict.HALLUCINATED if at < 10 else Verdict.FAITHFUL for at, name in enumerate(names)})
        drawn(database, {name: 0.5 if at < 10 else 0.25 for at, name in enumerate(names)})
        plain, weighted = rows_of(command(database), "judge and people")
        assert plain[2:7] == ["20.0", "10", "2", "0", "8"]
        assert weighted[2:7] == ["18.0", "33.3%", "13.3%", "0.0%", "53.3%"]
