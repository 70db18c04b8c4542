"""`assay golden add`: stored samples that people labelled become golden items, through a real store."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.types import ClaimResult, Evidence, Probability, Scored, Verdict
from service.core.clock import utc_now
from service.core.db import Database
from service.core.golden.item import GoldenItem
from service.core.golden.sets import read_items
from service.core.label_tables import Annotator
from service.core.label_tables import Verdict as Said
from service.core.store.labels import NewLabel, Upserted, upsert_labels
from service.core.store.removal import By, Depth, Removal, remove_batch
from tests.integration.support import finish_pending, new_sample, store
from tests.unit.workers.golden_support import golden
from workers.golden.linting import lint

NOW = utc_now() - timedelta(hours=1)
POLICY = "Unused kettles can be returned within 30 days. Repairs are free."
RESPONSE = "Kettles can be returned within 60 days. Repairs are free."
FIRST, SECOND = (0, 39), (40, 57)


def claim(span: tuple[int, int], verdict: Verdict, evidence: tuple[int, int]) -> ClaimResult:
    start, end = span
    return ClaimResult(
        start=start,
        end=end,
        text=RESPONSE[start:end],
        verdict=verdict,
        score=0.1 if verdict is Verdict.SUPPORTED else 0.9,
        probability=Probability(entailment=0.1, neutral=0.1, contradiction=0.8),
        evidence=Evidence(
            context_id="p", context_index=0, start=evidence[0], end=evidence[1], text=POLICY[slice(*evidence)]
        ),
    )


def outcome(first: Verdict = Verdict.CONTRADICTED) -> Scored:
    return Scored(
        score=0.9,
        flagged=True,
        threshold=0.5,
        claims=(claim(FIRST, first, (0, 46)), claim(SECOND, Verdict.SUPPORTED, (47, 64))),
        claims_checked=2,
        claims_flagged=1,
        pairs=2,
    )


def fill(database: Database, *names: str, first: Verdict = Verdict.CONTRADICTED, **changes: Any) -> None:
    """Scored samples of one policy, each with a question of its own."""
    values = {"contexts": [{"id": "p", "text": POLICY, "score": None}], "response": RESPONSE, "received_at": NOW}
    store(database, *(new_sample(name, **{"question": f"{name}?"} | values | changes) for name in names))
    finish_pending(database, lambda _row: outcome(first), now=NOW)


def say(database: Database, name: str, said: str, claim: int | None = None, **changes: Any) -> None:
    """Writes a label, `mira`'s if nobody else is named."""
    values: dict[str, Any] = {"annotator": "mira", "kind": Annotator.HUMAN, "identifier": "", "comment": None}
    tenant = changes.pop("tenant", "default")
    label = NewLabel(sample_id=name, claim=claim, verdict=Said(said), **values | changes)
    with database.write() as connection:
        assert isinstance(upsert_labels(connection, tenant, [label], utc_now()), Upserted)


def add(database: Database, path: Path, *arguments: str, columns: int = 200) -> tuple[str, Sequence[GoldenItem]]:
    """What the command prints, and the set afterwards."""
    url = database.engine.url.render_as_string(hide_password=False)
    options = arguments or ("--window", "2h")
    done = golden("add", str(path), *options, columns=columns, ASSAY_DATABASE_URL=url)
    assert done.exit_code == 0, done.output
    return done.output, read_items(path) if path.exists() else ()


def test_a_labelled_response(database: Database, tmp_path: Path) -> None:
    """Texts, label, category and source come along; a second time nothing is added, and that is said."""
    fill(database, "s-1", "s-2")
    say(database, "s-1", "hallucinated", comment="The policy says 30.")
    path = tmp_path / "set.jsonl"
    told, (made,) = add(database, path)
    assert "1 item added" in told
    assert "texts of users" in told
    assert (made.id, made.question, made.response, made.hallucinated) == ("s-1", "s-1?", RESPONSE, True)
    assert [(context.id, context.text) for context in made.contexts] == [("p", POLICY)]
    assert (made.category, made.source, made.claims) == ("production", "sample:s-1", ())
    assert "The policy says 30." in made.reason
    assert "mira" not in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    told, _ = add(database, path)
    assert ("not added twice: 1" in told, path.read_bytes()) == (True, before)


def test_labelled_claims_have_spans(database: Database, tmp_path: Path) -> None:
    """Labels of claims decide the response; verdict and evidence of the scorer count where it agrees."""
    fill(database, "s-1")
    say(database, "s-1", "hallucinated", claim=0)
    say(database, "s-1", "faithful", claim=1)
    _, (made,) = add(database, tmp_path / "set.jsonl", "--id", "s-1", "--category", "returns")
    assert (made.hallucinated, made.category) == (True, "returns")
    assert [(each.text, each.verdict, [e.text for e in each.evidence]) for each in made.claims] == [
        ("Kettles can be returned within 60 days.", "contradicted", ["Unused kettles can be returned within 30 days."]),
        ("Repairs are free.", "supported", ["Repairs are free."]),
    ]
    assert lint(str(tmp_path / "set.jsonl"), utc_now().date()).errors == 0


def test_people_count_against_the_scorer(database: Database, tmp_path: Path) -> None:
    """A claim that people call wrong and the scorer supported is unsupported, without the scorer's evidence."""
    fill(database, "s-1", first=Verdict.SUPPORTED)
    say(database, "s-1", "hallucinated", claim=0)
    _, (made,) = add(database, tmp_path / "set.jsonl")
    assert [(each.verdict, each.evidence) for each in made.claims] == [("unsupported", ())]


def test_every_claim_faithful(database: Database, tmp_path: Path) -> None:
    """Only where every claim is told they say that the response is faithful."""
    fill(database, "s-1", "s-2", first=Verdict.SUPPORTED)
    for name, number in (("s-1", 0), ("s-1", 1), ("s-2", 0)):
        say(database, name, "faithful", claim=number)
    told, (made,) = add(database, tmp_path / "set.jsonl")
    assert (made.id, made.hallucinated, len(made.claims)) == ("s-1", False, 2)
    assert "do not decide" in told


def test_a_response_wrong_elsewhere(database: Database, tmp_path: Path) -> None:
    """Claims that do not show what is wrong are left out: they would contradict the label."""
    fill(database, "s-1")
    say(database, "s-1", "hallucinated")
    say(database, "s-1", "faithful", claim=1)
    _, (made,) = add(database, tmp_path / "set.jsonl")
    assert (made.hallucinated, made.claims) == (True, ())


CONTRADICTING = [
    [("faithful", None, "mira"), ("hallucinated", None, "tom")],
    [("hallucinated", 0, "mira"), ("faithful", None, "tom")],
    [
        ("hallucinated", None, "mira"),
        ("hallucinated", 0, "mira"),
        ("hallucinated", None, "tom"),
        ("faithful", 0, "tom"),
    ],
    [("faithful", None, "mira"), ("hallucinated", 0, "mira")],
    [("hallucinated", None, "mira"), ("faithful", 0, "mira"), ("faithful", 1, "mira")],
    [("unsure", None, "mira")],
]


@pytest.mark.parametrize("labels", CONTRADICTING)
def test_labels_that_do_not_decide(
    database: Database, tmp_path: Path, labels: list[tuple[str, int | None, str]]
) -> None:
    """Annotators who contradict each other or themselves, and who are unsure: left out, and said; others are added."""
    fill(database, "s-1", "s-2")
    say(database, "s-2", "hallucinated")
    for said, number, annotator in labels:
        say(database, "s-1", said, claim=number, annotator=annotator)
    told, made = add(database, tmp_path / "set.jsonl", "--window", "2h", columns=80)
    assert [each.id for each in made] == ["s-2"]
    assert "s-1" in told
    assert "Left out: 1." in told


def test_two_who_agree(database: Database, tmp_path: Path) -> None:
    """Are one item, which says how many they are; of an annotator's labels the latest counts."""
    fill(database, "s-1")
    say(database, "s-1", "faithful", identifier="first")
    say(database, "s-1", "hallucinated", identifier="second")
    say(database, "s-1", "hallucinated", annotator="tom")
    _, (made,) = add(database, tmp_path / "set.jsonl")
    assert (made.hallucinated, made.reason) == (True, "Labelled by 2 people.")


def test_whose_labels_count(database: Database, tmp_path: Path) -> None:
    """Only people's, and only those of the annotators that were named."""
    fill(database, "s-1", "s-2")
    say(database, "s-1", "hallucinated", kind=Annotator.LLM, annotator="bot")
    say(database, "s-2", "hallucinated", annotator="tom")
    say(database, "s-2", "faithful", annotator="mira")
    told, made = add(database, tmp_path / "set.jsonl", "--window", "2h", "--labelled-by", "tom")
    assert [(each.id, each.hallucinated) for each in made] == [("s-2", True)]
    told, _ = add(database, tmp_path / "other.jsonl", "--id", "s-1", "--id", "none")
    assert "It has no label" in told
    assert "There is no such sample." in told


def test_what_is_not_kept(database: Database, tmp_path: Path) -> None:
    """A sample whose text was removed is left out, and said."""
    fill(database, "s-1")
    say(database, "s-1", "hallucinated")
    removal = Removal(tenant="default", depth=Depth.TEXTS, by=By.REQUEST, session_id=None, before=None)
    with database.write() as connection:
        remove_batch(connection, removal, utc_now(), 100)
    told, made = add(database, tmp_path / "set.jsonl", "--id", "s-1")
    assert (made, "Its text is not kept any more." in told) == ((), True)


def test_tenants_and_times(database: Database, tmp_path: Path) -> None:
    """Only samples of the tenant, received in the time."""
    fill(database, "s-1")
    fill(database, "old", received_at=NOW - timedelta(days=3))
    fill(database, "theirs", tenant="b")
    for name, tenant in (("s-1", "default"), ("old", "default"), ("theirs", "b")):
        say(database, name, "hallucinated", tenant=tenant)
    path = tmp_path / "set.jsonl"
    assert [each.id for each in add(database, path)[1]] == ["s-1"]
    assert [each.id for each in add(database, path, "--window", "7d", "--tenant", "b")[1]] == ["s-1", "theirs"]
    since = (NOW - timedelta(days=4)).isoformat()
    assert [each.id for each in add(database, path, "--from", since)[1]] == ["s-1", "theirs", "old"]


def test_an_id_that_no_item_can_have(database: Database, tmp_path: Path) -> None:
    """Becomes a stable one; the source has the sample's own."""
    fill(database, "chat/7@a")
    say(database, "chat/7@a", "hallucinated")
    _, (made,) = add(database, tmp_path / "set.jsonl")
    assert (made.id.startswith("item-"), made.source) == (True, "sample:chat/7@a")


def test_what_is_refused(database: Database, tmp_path: Path) -> None:
    """A call that says neither which samples nor when, one that says both, and a shipped set."""
    url = database.engine.url.render_as_string(hide_password=False)
    for arguments in (
        (),
        ("--id", "a", "--window", "2h"),
        ("--window", "soon"),
        ("--window", "2h", "--category", "x" * 101),
    ):
        done = golden("add", str(tmp_path / "set.jsonl"), *arguments, ASSAY_DATABASE_URL=url)
        assert done.exit_code == 2, done.output
    assert golden("add", "core", "--window", "2h", ASSAY_DATABASE_URL=url).exit_code == 2
    assert not (tmp_path / "set.jsonl").exists()
