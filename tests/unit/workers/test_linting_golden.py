"""Linting: each thing that can be wrong with a golden set is found, and a good set is clean."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.core.golden.item import GoldenItem
from tests.unit.workers.golden_support import BAD, CONTEXT, GOOD, golden, item, write_items
from workers.golden.linting import lint

TODAY = date(2026, 11, 27)
QUOTE = "Unused kettles can be returned within 30 days."


def claim(text: str = GOOD, start: int = 0, **changes: Any) -> dict[str, Any]:
    evidence = [{"context_id": "policy", "start": 0, "end": len(QUOTE), "text": QUOTE}]
    values = {"start": start, "end": start + len(text), "text": text, "verdict": "supported", "evidence": evidence}
    return values | changes


def good_items(pairs: int = 100) -> list[GoldenItem]:
    """Pairs that differ in a number: nothing is wrong with them."""
    wrong = [claim(BAD, verdict="contradicted")]
    return [
        each
        for n in range(pairs)
        for each in (
            item(f"{n}-good", question=f"Question {n}?", claims=[claim()], pair=str(n)),
            item(f"{n}-bad", question=f"Question {n}?", response=BAD, hallucinated=True, claims=wrong, pair=str(n)),
        )
    ]


def found(path: Path, items: Sequence[GoldenItem]) -> list[tuple[str, str, str]]:
    """Severity, item and field of each finding."""
    return [
        (each.severity.value, each.item, each.field) for each in lint(str(write_items(path, *items)), TODAY).findings
    ]


def beside(tmp_path: Path, *more: GoldenItem) -> list[tuple[str, str, str]]:
    """What is found of items beside good ones."""
    return found(tmp_path / "set.jsonl", [*good_items(), *more])


def test_a_good_set_is_clean(tmp_path: Path) -> None:
    """No finding, and exit status 0."""
    write_items(tmp_path / "items.jsonl", *good_items())
    assert lint(str(tmp_path), TODAY).findings == ()
    done = golden("lint", str(tmp_path))
    assert (done.exit_code, "nothing is wrong" in done.output) == (0, True)


SHIFTED = claim(start=1, end=1 + len(GOOD))
OF_EVIDENCE = {"context_id": "policy", "start": 1, "end": 1 + len(QUOTE), "text": QUOTE}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"claims": [claim(end=999)]}, [("error", "claims.0")]),
        ({"claims": [claim(start=5, end=5)]}, [("error", "claims.0")]),
        ({"claims": [claim(text="Unused  kettles", end=15)]}, [("error", "claims.0")]),
        ({"claims": [claim(evidence=[OF_EVIDENCE])]}, [("error", "claims.0.evidence.0")]),
        ({"claims": [claim(evidence=[OF_EVIDENCE | {"end": 9_999}])]}, [("error", "claims.0.evidence.0")]),
        ({"claims": [claim(evidence=[OF_EVIDENCE | {"context_id": "other"}])]}, [("error", "claims.0.evidence.0")]),
        ({"claims": [claim(), claim("kettles", 7)]}, [("error", "claims.1")]),
        ({"claims": [claim("kettles", 7), claim()]}, [("error", "claims.0")]),
        ({"claims": [claim(verdict="contradicted", evidence=[])], "hallucinated": True}, [("error", "claims.0")]),
        ({"claims": [claim(verdict="unsupported", evidence=[])], "hallucinated": True}, []),
        ({"claims": [claim(verdict="unsupported", evidence=[])]}, [("error", "hallucinated")]),
        ({"claims": [claim(verdict="not_checkable", evidence=[])]}, []),
        ({"claims": [claim()], "hallucinated": True}, [("error", "hallucinated")]),
        ({"claims": [claim()], "hallucinated": None}, [("warning", "hallucinated")]),
        ({"response": None}, [("error", "hallucinated")]),
        ({"response": " "}, [("warning", "response")]),
        ({"contexts": [CONTEXT, CONTEXT]}, [("error", "contexts")]),
        ({"contexts": [CONTEXT, {"id": "b", "text": " "}]}, [("warning", "contexts.1")]),
        ({"pair": "alone"}, [("warning", "pair")]),
    ],
)
def test_findings_of_one_item(tmp_path: Path, changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Each is found at its item and field, and nothing else is."""
    assert beside(tmp_path, item("x", **changes)) == [(severity, "x", field) for severity, field in expected]


def test_a_moved_span_is_told(tmp_path: Path) -> None:
    """Where a quote stands elsewhere, the finding says where."""
    path = write_items(tmp_path / "set.jsonl", item(claims=[SHIFTED | {"end": len(GOOD)}]))
    told = next(each.sentence for each in lint(str(path), TODAY).findings if each.field == "claims.0")
    assert f"It stands at 0 to {len(GOOD)}." in told


def test_findings_of_the_whole(tmp_path: Path) -> None:
    """Ids twice, the same case twice, and the same case with another label are errors."""
    assert beside(tmp_path, item("x"), item("x", question="Another?")) == [("error", "x", "id")]
    assert beside(tmp_path, item("x"), item("y", question=item("x").question)) == [("error", "y", "")]
    other = item("y", question=item("x").question, hallucinated=True)
    assert beside(tmp_path, item("x"), other) == [("error", "y", "hallucinated")]
    alike = item("y", question=item("x").question, response=GOOD.upper())
    assert beside(tmp_path, item("x"), alike) == [("warning", "y", "")]


def test_pairs_are_no_duplicates(tmp_path: Path) -> None:
    """Two items that differ in a digit or a sign are two cases."""
    for one, two in (("It is 5.", "It is -5."), ("a > b", "a >= b"), ("It is 1.5.", "It is 15.")):
        texts = [item("x", response=one), item("y", response=two, question=item("x").question)]
        assert beside(tmp_path, *texts) == []


def test_lines_that_cannot_be_read(tmp_path: Path) -> None:
    """Every one is an error with its line, and the others are looked at all the same."""
    path = write_items(tmp_path / "set.jsonl", *good_items())
    with path.open("a", encoding="utf-8") as stream:
        stream.write("{\n" + json.dumps({"id": "no spaces"}) + "\n")
    findings = lint(str(path), TODAY).findings
    assert [each.severity.value for each in findings] == ["error", "error"]
    assert "line 201" in findings[0].sentence
    assert "line 202: id" in findings[1].sentence


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    """Items without a question, or without any context, are told together."""
    bare = item("x", question="Why?", contexts=[])
    assert beside(tmp_path, item("y", question=" "), bare) == [("warning", "", "question"), ("warning", "", "contexts")]


def test_balance(tmp_path: Path) -> None:
    """A set, or a category, with one label alone is a warning, and so is one with few of the other."""
    path = tmp_path / "set.jsonl"
    whole = [each for each in good_items(300) if not each.hallucinated]
    assert ("warning", "", "hallucinated") in found(path, [each.model_copy(update={"pair": None}) for each in whole])
    assert beside(tmp_path, item("x", category="lonely")) == [("warning", "", "category")]
    few = [*good_items(20), *(item(f"more-{n}", response=f"{GOOD} Number {n}.") for n in range(200))]
    sentences = [each.sentence for each in lint(str(write_items(path, *few)), TODAY).findings]
    assert any("of 240 labelled items are hallucinated" in each for each in sentences)


def test_wording_that_tells_the_label(tmp_path: Path) -> None:
    """Hallucinated responses in other words than their contexts are a warning; with fewer than 20 items nothing is told."""
    alien = [
        item(f"{n}-{bad}", question=f"{n}?", response="Purple whales sing." if bad else GOOD, hallucinated=bad)
        for n in range(100)
        for bad in (False, True)
    ]
    path = tmp_path / "set.jsonl"
    assert found(path, alien) == [("warning", "", "hallucinated")]
    told = [each.sentence for each in lint(str(write_items(path, *alien[:19])), TODAY).findings]
    assert not any("wording" in each for each in told)


def test_too_few_items(tmp_path: Path) -> None:
    """A small set is told what it can see, of a scorer and of an application."""
    path = write_items(tmp_path / "set.jsonl", *good_items(5))
    sentences = [each.sentence for each in lint(str(path), TODAY).findings]
    assert [each.split(":")[0] for each in sentences] == [
        "Few items for a scorer",
        "Few items for an application, asked 3 times",
    ]


@pytest.mark.parametrize(
    ("until", "name", "expected"),
    [
        ("2026-11-28", "0-good", []),
        ("2026-11-27", "0-good", [("warning", "0-good", "quarantine.toml")]),
        ("2026-11-28", "gone", [("error", "gone", "quarantine.toml")]),
        ("never", "0-good", [("error", "", "quarantine.toml")]),
    ],
)
def test_quarantine(tmp_path: Path, until: str, name: str, expected: list[tuple[str, str, str]]) -> None:
    """Entries that are over, that name nothing or that cannot be read."""
    (tmp_path / "quarantine.toml").write_text(
        f'[[items]]\nid = "{name}"\nuntil = {until}\nreason = "r"\n', encoding="utf-8"
    )
    write_items(tmp_path / "items.jsonl", *good_items())
    findings = lint(str(tmp_path), TODAY).findings
    assert [(each.severity.value, each.item, each.field) for each in findings] == expected


def test_the_command(tmp_path: Path) -> None:
    """Errors give exit status 1 and come first, whole at 80 columns; what is no set is refused with 2."""
    write_items(tmp_path / "set.jsonl", *good_items(5), item("x", claims=[claim(end=9_999)]))
    done = golden("lint", str(tmp_path / "set.jsonl"), columns=80)
    assert done.exit_code == 1
    assert "The span 0 to 9999 does not lie in the response." in done.output
    assert done.output.index("error") < done.output.index("warning")
    assert "11 items of" in done.output
    assert golden("lint", str(tmp_path / "none")).exit_code == 2
    empty = tmp_path / "empty.jsonl"
    empty.write_text("", encoding="utf-8")
    assert golden("lint", str(empty)).exit_code == 1


def test_names_from_files_steer_no_terminal(tmp_path: Path) -> None:
    """A context's id is shown with its control characters written out."""
    evil = claim(evidence=[OF_EVIDENCE | {"context_id": "\x1b[2J"}])
    write_items(tmp_path / "set.jsonl", item(claims=[evil]))
    assert "\x1b" not in golden("lint", str(tmp_path / "set.jsonl")).output
