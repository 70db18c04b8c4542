"""`assay calibrate --labels` and `--combined`: from the labels in a database, or rows of a file, to one score of all scorers."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import Result
from sqlalchemy import select
from typer.testing import CliRunner

from models.types import Consistent, Item, Judged, NotApplicable, NotApplicableReason
from service.core.clock import EPOCH
from service.core.combination import Combined, Parts, load_combination, sigmoid
from service.core.config import Settings
from service.core.db import Database
from service.core.errors import StartRefusedError
from service.core.label_tables import WHOLE, Annotator, Verdict, label_pools, label_tasks, labels
from service.core.review_tables import Place, Reviewer, Why
from service.core.store.combining import LabelledSample, read_labelled_samples
from service.core.store.rates import Stretch
from service.core.store.reviews import NewReview, ReviewedBy, add_reviews
from service.core.store.scores import ScoredBy
from service.core.tables import samples
from tests.checkpoints import save_checkpoint
from tests.integration.labelling import NOW
from tests.integration.support import DEAD_REDIS, ToldScorer, finish_pending, new_sample, scored, store
from workers.cli import app
from workers.combining.drawn import gather
from workers.combining.golden import read_golden, score_golden
from workers.offline.source import Source

DAY = (NOW - EPOCH).days
OLD, NEW = (
    ScoredBy(scorer="nli", fingerprint="n0", attributes={}),
    ScoredBy(scorer="nli", fingerprint="n1", attributes={}),
)
NOTHING = NotApplicable(reason=NotApplicableReason.NO_CLAIMS)


def fill(database: Database, count: int, prefix: str = "s", by: ScoredBy = NEW) -> dict[str, bool]:
    """So many scored samples with labels that the scores are right about in three of four; who is hallucinated, by id."""
    draw = random.Random(prefix)
    bad = {f"{prefix}-{at}": draw.random() < 0.4 for at in range(count)}
    rows = [new_sample(name, received_at=NOW, session_id=f"{prefix}{at // 2}") for at, name in enumerate(bad)]
    found = {row.response: sigmoid(draw.gauss(1.0 if bad[row.id] else -1.0, 1.5)) for row in rows}
    store(database, *rows)
    finish_pending(database, lambda row: scored(found[row.response], flagged=found[row.response] >= 0.5), by)
    return bad


def seqs_of(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {row.id: row.seq for row in connection.execute(select(samples.c.id, samples.c.seq))}


def say(database: Database, verdicts: dict[str, Verdict], annotator: str = "mira") -> None:
    """Labels of whole responses, by a person."""
    seqs = seqs_of(database)
    rows = [
        {
            "tenant": "default",
            "sample_seq": seqs[name],
            "day": DAY,
            "claim_start": WHOLE,
            "claim_end": WHOLE,
            "annotator": annotator,
            "kind": Annotator.HUMAN.value,
            "identifier": "",
            "verdict": verdict.value,
            "created_at": NOW,
            "updated_at": NOW,
        }
        for name, verdict in verdicts.items()
    ]
    with database.write() as connection:
        connection.execute(labels.insert(), rows)


def verdicts_of(bad: dict[str, bool]) -> dict[str, Verdict]:
    return {name: Verdict.HALLUCINATED if is_bad else Verdict.FAITHFUL for name, is_bad in bad.items()}


def draw_for_labelling(database: Database, names: list[str], size: float = 0.25) -> None:
    """Makes them tasks of one part, each drawn with the probability `size`."""
    seqs = seqs_of(database)
    place = {"tenant": "default", "day": DAY, "part": 0}
    pool = place | {"begin": NOW, "until": NOW + timedelta(minutes=1), "cutoff": 1.0}
    tasks = [
        place | {"sample_seq": seqs[name], "size": size, "ratio": 0.5, "twice": False, "drawn_at": NOW}
        for name in names
    ]
    with database.write() as connection:
        connection.execute(label_pools.insert(), [pool])
        connection.execute(label_tasks.insert(), tasks)


def review(database: Database, said: dict[str, float | None], by: str = "j1") -> None:
    """Verdicts of a judge; None: it could not tell."""
    seqs = seqs_of(database)
    made = [
        NewReview(
            sample_seq=seqs[name],
            tenant="default",
            reviewer=Reviewer.JUDGE,
            why=Why.FLOOR,
            probability=0.5,
            place=Place.REMOTE,
            outcome=NOTHING
            if score is None
            else Judged(scored=scored(score, flagged=score >= 0.5), votes=1, variance=None),
            by=ReviewedBy(fingerprint=by, attributes={}),
        )
        for name, score in said.items()
    ]
    with database.write() as connection:
        add_reviews(connection, made, NOW)


def compare(database: Database, said: dict[str, tuple[float, float]]) -> None:
    """Self-consistency: contradiction and entropy."""
    seqs = seqs_of(database)
    made = [
        NewReview(
            sample_seq=seqs[name],
            tenant="default",
            reviewer=Reviewer.CONSISTENCY,
            why=Why.SENT,
            probability=1.0,
            place=Place.LOCAL,
            outcome=consistent(*values),
            by=ReviewedBy(fingerprint="c1", attributes={}),
        )
        for name, values in said.items()
    ]
    with database.write() as connection:
        add_reviews(connection, made, NOW)


def consistent(score: float, entropy: float) -> Consistent:
    return Consistent(scored=scored(score, flagged=False), entropy=entropy, clusters=2, samples=3, pairs=6)


def read(database: Database) -> list[LabelledSample]:
    stretch = Stretch(tenant="default", start=NOW, end=NOW + timedelta(minutes=1), width_s=60, group_by=())
    with database.read() as connection:
        return read_labelled_samples(connection, stretch)


class TestReading:
    def test_what_people_and_scorers_said(self, database: Database) -> None:
        """Every labelled sample once, with its reviews, whether it was drawn, and the mean of its annotators."""
        fill(database, 5)
        say(
            database,
            {"s-0": Verdict.HALLUCINATED, "s-1": Verdict.FAITHFUL, "s-2": Verdict.UNSURE, "s-3": Verdict.FAITHFUL},
        )
        say(database, {"s-0": Verdict.FAITHFUL}, annotator="noor")
        draw_for_labelling(database, ["s-0", "s-2", "s-4"])
        review(database, {"s-0": 1.0, "s-1": None, "s-4": 0.0})
        compare(database, {"s-1": (0.25, 0.5)})
        seqs = seqs_of(database)
        first, second, fourth = read(database)
        assert [found.sample_seq for found in (first, second, fourth)] == [seqs["s-0"], seqs["s-1"], seqs["s-3"]]
        assert (first.said.y, first.said.label_probability, first.inclusion_probability) == (0.5, None, 0.5)
        assert (second.said.y, second.said.label_probability, second.cluster) == (0.0, None, "ss0")
        assert first.judge is not None
        assert (first.judge.score, first.judge.fingerprint, first.consistency) == (1.0, "j1", None)
        assert second.consistency is not None
        assert (second.judge, second.consistency.score, second.consistency.entropy) == (None, 0.25, 0.5)
        assert (fourth.judge, fourth.consistency, fourth.nli.fingerprint) == (None, None, "n1")

    def test_a_drawn_sample_has_its_probability(self, database: Database) -> None:
        """Once labelling has come to all of a part each label has the probability of its draw."""
        bad = fill(database, 4)
        draw_for_labelling(database, list(bad)[:3])
        say(database, verdicts_of(bad))
        assert [found.said.label_probability for found in read(database)] == [0.25, 0.25, 0.25, None]

    def test_a_tenant_sees_its_own(self, database: Database) -> None:
        """Labels of one tenant are not read for another, nor those of another time."""
        bad = fill(database, 4)
        say(database, verdicts_of(bad))
        other = Stretch(tenant="other", start=NOW, end=NOW + timedelta(minutes=1), width_s=60, group_by=())
        earlier = replace(other, tenant="default", start=NOW - timedelta(minutes=1), end=NOW)
        with database.read() as connection:
            assert read_labelled_samples(connection, other) == read_labelled_samples(connection, earlier) == []

    def test_of_the_newest_scorer(self, database: Database) -> None:
        """What only an earlier scorer scored is counted and not used; drawn labels stand for what they stand for."""
        say(database, verdicts_of(fill(database, 3, "old", OLD)))
        bad = fill(database, 4)
        draw_for_labelling(database, list(bad)[:3])
        say(database, verdicts_of(bad))
        found = gather(read(database), with_picked=False)
        assert (found.picked, found.other_scorer) == (1, 3)
        assert [(e.weight, e.parts.nli_fingerprint) for e in found.examples] == [(8.0, "n1")] * 3
        with_picked = gather(read(database), with_picked=True)
        assert [e.weight for e in with_picked.examples] == [1.0] * 4

    def test_of_the_newest_judge(self, database: Database) -> None:
        """Verdicts of an earlier judge are missing ones."""
        bad = fill(database, 2)
        say(database, verdicts_of(bad))
        review(database, {"s-0": 1.0}, by="j0")
        review(database, {"s-1": 1.0}, by="j1")
        found = gather(read(database), with_picked=True)
        assert [e.parts.judge for e in found.examples] == [None, 1.0]


@pytest.fixture
def command(database: Database) -> Callable[..., Result]:
    """Runs `assay calibrate` on the database."""
    url = database.engine.url.render_as_string(hide_password=False)
    return lambda *arguments: run(*arguments, ASSAY_DATABASE_URL=url, ASSAY_REDIS_URL=DEAD_REDIS)


def run(*arguments: str, **environment: str) -> Result:
    before = structlog.get_config()
    try:
        done = CliRunner().invoke(app, ["calibrate", *arguments], env={"COLUMNS": "200", **environment})
    finally:
        structlog.configure(**before)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done


class TestLabels:
    def test_a_fit_to_the_labels_of_a_database(
        self, database: Database, command: Callable[..., Result], tmp_path: Path
    ) -> None:
        """The file that it writes scores a response; a judge that is right in nine of ten counts for more than NLI does."""
        bad = fill(database, 240)
        draw_for_labelling(database, list(bad))
        say(database, verdicts_of(bad))
        draw = random.Random(1)
        review(
            database,
            {name: float(is_bad is (draw.random() < 0.9)) for name, is_bad in bad.items() if draw.random() < 0.7},
        )
        compare(database, {name: (draw.random(), draw.random()) for name in list(bad)[:100]})
        output, plot = tmp_path / "fit.json", tmp_path / "plot.svg"
        done = command("--labels", "--window", "1d", "-o", str(output), "--plot", str(plot))
        assert done.exit_code == 0, done.output
        assert "240 labelled responses of 120 sessions" in done.output
        assert f'combination = "{output}"' in done.output
        assert plot.read_text().count("</svg>") == 3
        fit = load_combination(output)
        assert fit.figures["change"]["high"] < 0
        assert [scorer.fingerprint for scorer in fit.scorers][:2] == ["n1", "j1"]
        yes, no, silent = (
            fit.combine(Parts(nli=0.5, nli_fingerprint="n1", judge=said, judge_fingerprint=by))
            for said, by in ((1.0, "j1"), (0.0, "j1"), (None, None))
        )
        assert isinstance(yes, Combined)
        assert isinstance(no, Combined)
        assert isinstance(silent, Combined)
        assert no.score < silent.score < yes.score
        assert yes.score - no.score > 0.5

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_picked_labels_are_asked_for(
        self, database: Database, command: Callable[..., Result], tmp_path: Path
    ) -> None:
        """Whoever picks what to label picks the answer: such labels count only where it is said, and then it is told."""
        say(database, verdicts_of(fill(database, 150)))
        output = str(tmp_path / "fit.json")
        refused = command("--labels", "-o", output)
        assert refused.exit_code == 2
        assert "150 labelled responses that no draw chose are left out" in refused.output
        assert "Too few labels" in refused.output
        assert not Path(output).exists()
        taken = command("--labels", "--picked", "-o", output)
        assert taken.exit_code == 0, taken.output
        assert "not of the traffic" in taken.output

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_nothing_is_fitted_to_nothing(self, command: Callable[..., Result], tmp_path: Path) -> None:
        """An empty database: a sentence, and no file."""
        done = command("--labels", "-o", str(tmp_path / "fit.json"))
        assert (done.exit_code, list(tmp_path.glob("fit.json"))) == (2, [])
        assert "0 hallucinated and 0 faithful" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to calibrate on"),
        (("rows.jsonl", "--labels"), "two sources"),
        (("--labels", "--combined"), "two sources"),
        (("rows.jsonl", "--combined", "--picked"), "--picked"),
        (("rows.jsonl", "--plot", "x.svg"), "--plot"),
        (("--combined",), "nothing to calibrate on"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], said: str) -> None:
    """A sentence that says which to leave out."""
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.output


class TestGolden:
    def write(self, folder: Path, *rows: dict[str, Any]) -> Source:
        path = folder / "rows.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)) + "\n")
        return Source(str(path), None, Settings(), frozenset())

    def test_rows_become_examples(self, tmp_path: Path) -> None:
        """Scored now, with the judgement of the row and what its alternative responses say; grouped by document."""
        row = {"contexts": ["The kettle is blue."], "response": "It is blue.", "label": "supported"}
        judged = row | {"judge_score": 1, "judge_fingerprint": "j1", "label": "unsupported"}
        source = self.write(
            tmp_path,
            row | {"samples": ["It is red."]},
            judged,
            row | {"contexts": ["Another."], "session_id": "s", "judge_score": None},
        )
        scorer = ToldScorer(compare=lambda _item: consistent(0.25, 0.5))
        done: list[int] = []
        one, two, three = score_golden(read_golden(source, "label", Settings()), scorer, Settings(), done.append)
        assert (one.y, two.y, three.y, done) == (0.0, 1.0, 0.0, [3])
        assert (one.parts.nli, one.parts.nli_fingerprint, one.parts.judge) == (0.9, "f1", None)
        assert (one.parts.selfcheck, one.parts.entropy, one.parts.consistency_fingerprint) == (0.25, 0.5, "c1")
        assert (two.parts.judge, two.parts.judge_fingerprint, two.parts.selfcheck) == (1.0, "j1", None)
        assert one.group == two.group != three.group

    def test_a_row_of_which_no_scorer_says_anything_is_no_example(self, tmp_path: Path) -> None:
        """Nothing to check, no judgement, no alternatives: left out, not scored 0."""
        row = {"contexts": [], "response": "It is blue.", "label": "supported"}
        source = self.write(tmp_path, row, row | {"judge_score": 0.5, "judge_fingerprint": "j1"})

        def nothing(_item: Item) -> NotApplicable:
            return NotApplicable(reason=NotApplicableReason.NO_CONTEXT)

        rows = read_golden(source, "label", Settings())
        (found,) = score_golden(rows, ToldScorer(answer=nothing), Settings(), lambda _done: None)
        assert (found.parts.nli, found.parts.nli_fingerprint, found.parts.judge) == (None, None, 0.5)

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"label": "maybe"}, "no label"),
            ({"judge_score": 1.0}, "no judge_fingerprint"),
            ({"judge_score": 1.5, "judge_fingerprint": "j1"}, "no number from 0 to 1"),
            ({"judge_score": "high", "judge_fingerprint": "j1"}, "no number from 0 to 1"),
            ({"judge_score": "nan", "judge_fingerprint": "j1"}, "no number from 0 to 1"),
            ({"judge_score": 0.5, "judge_fingerprint": "j2"}, "2 judges"),
        ],
    )
    def test_a_row_that_cannot_be_used_is_named(self, tmp_path: Path, more: dict[str, Any], said: str) -> None:
        """Instead of a fit to what it might mean."""
        row = {"contexts": ["a"], "response": "b", "label": "supported", "judge_score": 0, "judge_fingerprint": "j1"}
        bare = {"contexts": ["a"], "response": "b", "label": "supported"}
        with pytest.raises(StartRefusedError) as refused:
            read_golden(self.write(tmp_path, row, bare | more), "label", Settings())
        assert said in refused.value.detail

    def test_from_a_file_to_a_fit(self, tmp_path: Path) -> None:
        """With a model of random weights the fit is the judge's; it is of this model's fingerprint."""
        folder = save_checkpoint(tmp_path / "tiny", "bert")
        draw = random.Random(2)
        rows = []
        for at in range(120):
            bad, fact = at % 2 == 0, f"Shop number {at} opens at {at % 12}."
            row = {"contexts": [fact], "response": "It snowed in Tokyo." if bad else fact, "label": "unsupported"}
            row |= {"judge_score": float(bad is (draw.random() < 0.9)), "judge_fingerprint": "j1"}
            rows.append(row if bad else row | {"label": "supported"})
        self.write(tmp_path, *rows)
        output = tmp_path / "fit.json"
        given = {"ASSAY_NLI_MODEL": str(folder), "ASSAY_THRESHOLD": "balanced", "HF_HUB_OFFLINE": "1"}
        done = run(str(tmp_path / "rows.jsonl"), "--combined", "-o", str(output), **given)
        assert done.exit_code == 0, done.output
        assert "120 labelled responses of 120 sessions or documents" in done.output
        nli, judge = load_combination(output).scorers
        assert (nli.name, judge.name, judge.fingerprint, judge.absent) == ("nli", "judge", "j1", None)
        assert judge.slopes["judge"] > 1

    def test_the_fake_scorer_has_nothing_to_combine(self, tmp_path: Path) -> None:
        """A fit of it would be of nothing."""
        self.write(tmp_path, {"contexts": ["a"], "response": "b", "label": "supported"})
        done = run(str(tmp_path / "rows.jsonl"), "--combined", ASSAY_SCORER="fake")
        assert (done.exit_code, "ASSAY_SCORER=nli" in done.output) == (2, True)
