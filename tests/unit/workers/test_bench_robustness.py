"""The robustness bench's own parts: what a transformation makes of contexts, and how shifts are counted and shown."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from models.types import ClaimResult, Evidence, Item, Probability, Scored, Unscored, UnscoredReason, Verdict
from tests.unit.workers.bench_results import MACHINE
from workers.bench.accuracy import document
from workers.bench.corpus import Corpus, sentences_of
from workers.bench.results import BenchError, read_result, write_result
from workers.bench.robustness_report import robustness_section
from workers.bench.robustness_results import (
    Company,
    LastSentence,
    Quoted,
    RobustnessResult,
    SetResult,
    Settling,
    Shift,
)
from workers.bench.shifts import Change, count_shift
from workers.bench.transformations import TRANSFORMATIONS, Kind, transform, with_contexts

TEXT = "The shop opens at nine. It closes at five every day. Kettles are on the second floor."
PASSAGES = ["Whales are mammals.", "Mars is red."]
STRICT = 0.7
BY_NAME = {each.name: each for each in TRANSFORMATIONS}


def item(*texts: str, response: str = "It closes at five.") -> Item:
    return with_contexts(Item(response=response, contexts=()), texts)


def texts_after(name: str, *texts: str, seed: int = 1) -> list[str] | None:
    changed = transform(item(*texts), BY_NAME[name], PASSAGES, Random(seed))
    return None if changed is None else [context.text for context in changed.contexts]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("append_context", ["a.", "b.", PASSAGES[0]]),
        ("prepend_context", [PASSAGES[0], "a.", "b."]),
        ("append_paragraph", [f"a.\n\n{PASSAGES[0]}", f"b.\n\n{PASSAGES[0]}"]),
        ("prepend_paragraph", [f"{PASSAGES[0]}\n\na.", f"{PASSAGES[0]}\n\nb."]),
        ("append_space", [f"a. {PASSAGES[0]}", f"b. {PASSAGES[0]}"]),
        ("prepend_space", [f"{PASSAGES[0]} a.", f"{PASSAGES[0]} b."]),
        ("duplicate", ["a.", "b.", "a.", "b."]),
    ],
)
def test_text_is_added(name: str, expected: list[str]) -> None:
    """What is added stands where its name says, and the contexts are numbered anew."""
    assert texts_after(name, "a.", "b.") == expected
    changed = transform(item("a.", "b."), BY_NAME[name], PASSAGES, Random(1))
    assert changed is not None
    assert [context.id for context in changed.contexts] == [str(at) for at in range(len(expected))]
    assert changed.response == "It closes at five."


def test_shuffled_and_merged() -> None:
    """Every text is there once, in an order that the draw decides."""
    assert sorted(texts_after("shuffle", "a.", "b.") or []) == sorted(["a.", "b.", *PASSAGES])
    assert len({tuple(texts_after("shuffle", "a.", "b.", seed=seed) or []) for seed in range(20)}) > 1
    for name, mark in (("merge_paragraphs", "\n\n"), ("merge_space", " ")):
        (merged,) = texts_after(name, "a.", "b.") or []
        assert len(merged) == sum(map(len, ["a.", "b.", *PASSAGES])) + 3 * len(mark)
        assert all(text in merged for text in ["a.", "b.", *PASSAGES])


@pytest.mark.parametrize("seed", range(5))
def test_cut_where_a_sentence_ends(seed: int) -> None:
    """A split loses not one character; an insertion keeps both halves as they were."""
    first, second = texts_after("split_between", TEXT, seed=seed) or []
    assert first + second == TEXT
    assert first.rstrip().endswith(".")
    for name, mark in (("insert_paragraph", "\n\n"), ("insert_space", " ")):
        (whole,) = texts_after(name, TEXT, seed=seed) or []
        before, after = whole.split(f"{mark}{PASSAGES[0]}{mark}")
        assert f"{before} {after}" == TEXT


@pytest.mark.parametrize("seed", range(5))
def test_cut_within_a_sentence(seed: int) -> None:
    """The longest context is cut at a space between two words of one sentence."""
    short, first, second = texts_after("split_within", "Short.", TEXT, seed=seed) or []
    assert (short, f"{first} {second}") == ("Short.", TEXT)
    assert first[-1].isalnum()
    assert second[0].isalnum()


@pytest.mark.parametrize("name", ["insert_paragraph", "insert_space", "split_between", "split_within"])
def test_nothing_to_cut(name: str) -> None:
    """One short sentence is neither split nor parted."""
    assert texts_after(name, "Short one.") is None


def test_names_are_unique() -> None:
    """Counts are kept by name."""
    assert len(BY_NAME) == len(TRANSFORMATIONS)
    assert {each.kind for each in TRANSFORMATIONS} == set(Kind)


def claim(start: int, score: float | None, verdict: Verdict = Verdict.SUPPORTED) -> ClaimResult:
    known = score is not None
    return ClaimResult(
        start=start,
        end=start + 4,
        text="Text",
        verdict=verdict if known else Verdict.NOT_CHECKABLE,
        score=score,
        probability=Probability(entailment=0.5, neutral=0.3, contradiction=0.2) if known else None,
        evidence=Evidence(context_id="0", context_index=0, start=0, end=1, text="T") if known else None,
    )


def scored(*claims: ClaimResult) -> Scored:
    scores = [each.score for each in claims if each.score is not None]
    return Scored(
        score=max(scores),
        flagged=False,
        threshold=STRICT,
        claims=claims,
        claims_checked=len(scores),
        claims_flagged=0,
        pairs=1,
    )


def test_a_shift_counts_each_way() -> None:
    """Each claim is counted by where it was and where it is, against the two points."""
    before = scored(claim(0, 0.3), claim(10, 0.4), claim(20, 0.6), claim(30, 0.8), claim(40, 0.2), claim(50, None))
    after = scored(claim(0, 0.55), claim(10, 0.75), claim(20, 0.75), claim(30, 0.3), claim(40, 0.2), claim(50, None))
    shift = count_shift("x", [Change(before=before, after=after)], STRICT)
    assert shift == Shift(
        name="x",
        claims=5,
        supported=3,
        supported_after=2,
        doubted=2,
        flagged=1,
        passed=4,
        newly_flagged=2,
        cleared=1,
        admitted=1,
        raised=3,
        changed=4,
        greatest_rise=0.75 - 0.4,
        missing=0,
    )


def test_what_has_no_score_after_is_missing() -> None:
    """A response without a score, and a claim whose sentence is another now, are counted as lost, not as unchanged."""
    before = scored(claim(0, 0.3), claim(10, 0.4))
    changes = [
        Change(before=before, after=Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)),
        Change(before=before, after=scored(claim(0, 0.3))),
    ]
    shift = count_shift("x", changes, STRICT)
    assert (shift.claims, shift.missing, shift.changed, shift.greatest_rise) == (1, 3, 0, 0.0)


def test_another_verdict_is_a_change() -> None:
    """The same score under another verdict is not the same answer."""
    before, after = scored(claim(0, 0.8, Verdict.UNSUPPORTED)), scored(claim(0, 0.8, Verdict.CONTRADICTED))
    assert count_shift("x", [Change(before=before, after=after)], STRICT).changed == 1


def write(path: Path, *rows: tuple[str, str, str]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(
            json.dumps({"premise": premise, "hypothesis": hypothesis, "label": label}) + "\n"
            for premise, hypothesis, label in rows
        )


def corpus(folder: Path, rows_each: int = 3) -> Corpus:
    for name in ("one", "two"):
        write(
            folder / f"{name}.jsonl.gz",
            *((f"{name} number {at}. " + TEXT * 3, f"It is {name}.", "supported") for at in range(4)),
            (TEXT, "Kettles are green.", "not_supported"),
        )
    return Corpus.read(folder, rows_each, 7)


def test_irrelevant_text_is_of_other_sets(tmp_path: Path) -> None:
    """A set's own passages never count as irrelevant to it, and a draw gives the same again."""
    read = corpus(tmp_path)
    for name, other in (("one", "two"), ("two", "one")):
        passages = read.irrelevant(name, 10, read.draw("x"))
        assert passages
        assert all(passage.startswith(other) for passage in passages)
        assert passages == read.irrelevant(name, 10, read.draw("x"))
        text = read.long_text(name, 500, read.draw("x"))
        assert len(text.split()) >= 500
        assert name not in text


def test_rows_are_drawn_alike(tmp_path: Path) -> None:
    """So many rows of each set, the same each time."""
    first, second = corpus(tmp_path), corpus(tmp_path)
    assert {name: len(rows) for name, rows in first.rows.items()} == {"one": 3, "two": 3}
    assert first.rows == second.rows


def test_a_set_with_long_contexts_gives_a_quarter(tmp_path: Path) -> None:
    """What costs most is drawn least, by its length and not by its result."""
    write(tmp_path / "long.jsonl.gz", *((f"{at} {TEXT * 50}", "It is so.", "supported") for at in range(8)))
    assert len(corpus(tmp_path, rows_each=8).rows["long"]) == 2


def test_last_sentences_are_made_up_and_one(tmp_path: Path) -> None:
    """Only rows labelled as not supported that state one sentence are put at the end of a response."""
    read = corpus(tmp_path, rows_each=5)
    assert [row.item.response for row in read.last_sentences("one", read.draw("x"))] == ["Kettles are green."]


@pytest.mark.parametrize("rows", [[], [("Too short.", "Short.", "supported")]])
def test_a_folder_without_passages_is_refused(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    """Without two sets there is no irrelevant text."""
    write(tmp_path / "one.jsonl.gz", (TEXT * 3, "It is so.", "supported"))
    write(tmp_path / "two.jsonl.gz", *rows)
    with pytest.raises(BenchError, match="two sets of rows"):
        Corpus.read(tmp_path, 3, 7)


def test_a_file_without_rows_is_named(tmp_path: Path) -> None:
    """What is no set is named by its file, without a traceback."""
    (tmp_path / "bad.jsonl.gz").write_text("no gzip")
    with pytest.raises(BenchError, match=r"bad\.jsonl\.gz"):
        Corpus.read(tmp_path, 3, 7)


def test_sentences_that_can_be_copied() -> None:
    """Whole sentences with their full stop; no headings, questions or fragments."""
    assert sentences_of(
        "# A heading\n\nThe shop opens at nine every day. Does it open on Sundays at all? so it goes"
    ) == ["The shop opens at nine every day."]


def shift(name: str, **counts: Any) -> Shift:
    return Shift(name=name, **{"claims": 100, "supported": 60, "passed": 80} | counts)


def set_result(name: str, **changes: Any) -> SetResult:
    values: dict[str, Any] = {
        "name": name,
        "rows": 50,
        "claims": 100,
        "supported": 60,
        "passed": 80,
        "not_applicable": {"refusal": 1},
        "unscored": {"too_many_pairs": 2},
        "transformed": tuple(shift(each.name) for each in TRANSFORMATIONS),
        "diluted": (shift("300 words", admitted=4, cleared=2),),
        "helped": (shift("own_words", supported_after=99), shift("own_passage", supported_after=90)),
        "attacked": (shift("an irrelevant passage instead", admitted=1),),
        "injected": (shift("append_paragraph"), shift("append_space", missing=7)),
        "quoted": (Quoted(name="after a space", claims=10, supported=9, passed=10, cited=8),),
        "last": tuple(
            LastSentence(name=kind, responses=4, balanced=3, strict=2, as_alone=4, copied=90, copied_flagged=1)
            for kind in ("elsewhere", "labelled")
        ),
        "settling": Settling(
            name=name, responses=50, claims=100, verdicts=100, scores=100, evidence=100, pairs=300, pairs_exhaustive=900
        ),
    }
    return SetResult(**values | changes)


def result(*sets: SetResult) -> RobustnessResult:
    return RobustnessResult(
        machine=MACHINE,
        quick=False,
        seed=7,
        rows_each=50,
        model="0" * 64,
        balanced=0.5,
        strict=STRICT,
        accepted=0.6,
        context_words=10_000,
        response_words=2_000,
        sets=sets or (set_result("one"), set_result("two")),
        company=(Company(way="one by one, 1 thread", pairs=20, different=0, greatest=0.0),),
    )


def row_of(text: str, start: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_sets_are_added_up() -> None:
    """A figure of the document is that of all sets together, of a rise the greatest."""
    changed = tuple(
        shift(each.name, doubted=3, flagged=1, newly_flagged=2, greatest_rise=0.25) for each in TRANSFORMATIONS
    )
    text = robustness_section(result(set_result("one", transformed=changed), set_result("two")))
    about = BY_NAME["split_within"].about
    cells = row_of(text, about)
    assert [cell.split(";")[0] for cell in cells[1:]] == [
        "2.50% (3 of 120",
        "0.83% (1 of 120",
        "1.25% (2 of 160",
        "0.25",
        "under 0.5%",
    ]
    assert row_of(text, "one |")[-1] == "3 of 60"
    assert row_of(text, "two |")[1:4] == ["50", "1 refusal, 2 too many pairs", "100"]
    assert row_of(text, "300 words")[1].startswith("10.00% (8 of 80")
    assert "600 of 1,800 pairs were needed" in text


def test_what_was_lost_is_said() -> None:
    """Claims without a score after a change are named, in a number."""
    assert "Every claim kept a score." in robustness_section(result())
    lost = tuple(shift(each.name, missing=2) for each in TRANSFORMATIONS)
    assert f"{2 * len(TRANSFORMATIONS)} times a claim had no score" in robustness_section(
        result(set_result("one", transformed=lost))
    )


def test_results_come_back_as_written(tmp_path: Path) -> None:
    """What is 0 is left out of the file, and read as 0."""
    path = tmp_path / "made" / "robustness.json"
    write_result(result(), path)
    assert read_result(RobustnessResult, path) == result()
    assert '"raised"' not in path.read_text()


def test_the_document_has_what_lies_in_its_folder(tmp_path: Path) -> None:
    """A section for each result; none at all is an error."""
    with pytest.raises(BenchError, match=r"robustness\.json"):
        document(tmp_path)
    write_result(result(), tmp_path / "robustness.json")
    text = document(tmp_path)
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# Accuracy", "## Robustness"]
    assert "A processor, 2 cores" in text
