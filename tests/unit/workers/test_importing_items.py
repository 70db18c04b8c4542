"""Importing: data sets as RAGAS, DeepEval and people write them become items; what cannot is refused with its place."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import StartRefusedError
from service.core.golden.sets import read_items
from tests.unit.workers.golden_support import BAD, GOOD, POLICY, golden, imported, refused
from workers.golden.importing_layouts import Format

QUESTION = "Can I return a kettle?"
OTHER = 'Returns are free, they\'re "on us".'


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def lines(path: Path, *documents: Any) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in documents), encoding="utf-8")
    return path


def table(path: Path, *rows: dict[str, Any]) -> Path:
    """As RAGAS' own `to_csv` does: a list becomes what Python prints."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


NEW = {"user_input": QUESTION, "retrieved_contexts": [POLICY, OTHER], "response": GOOD, "reference": "Within 30 days."}
OLD = {"question": QUESTION, "contexts": [POLICY, OTHER], "answer": GOOD, "ground_truth": "Within 30 days."}
OLDEST = {"question": QUESTION, "contexts": [POLICY, OTHER], "answer": GOOD, "ground_truths": ["Within 30 days."]}


@pytest.mark.parametrize("row", [NEW, OLD, OLDEST])
@pytest.mark.parametrize("written", ["lines", "list", "csv", "columns", "pandas", "samples"])
def test_ragas_in_all_its_forms(tmp_path: Path, row: dict[str, Any], written: str) -> None:
    """Names of every version, in every form that RAGAS, `datasets` and pandas write, give the same item."""
    path = {
        "lines": lambda: lines(tmp_path / "set.jsonl", row),
        "list": lambda: write(tmp_path / "set.json", [row]),
        "csv": lambda: table(tmp_path / "set.csv", row),
        "columns": lambda: write(tmp_path / "set.json", {name: [value] for name, value in row.items()}),
        "pandas": lambda: write(tmp_path / "set.json", {name: {"0": value} for name, value in row.items()}),
        "samples": lambda: write(tmp_path / "set.json", {"samples": [row]}),
    }[written]()
    (found,) = imported(path, Format.RAGAS).items
    assert (found.question, found.response, found.hallucinated) == (QUESTION, GOOD, None)
    assert [(context.id, context.text) for context in found.contexts] == [("0", POLICY), ("1", OTHER)]
    assert "Within 30 days." in found.reason
    assert found.source.startswith(path.name)


def test_ragas_test_set(tmp_path: Path) -> None:
    """A generated test set has reference contexts and no response: items for applications, by kind of question."""
    row = {
        "user_input": QUESTION,
        "reference_contexts": [POLICY],
        "reference": GOOD,
        "synthesizer_name": "single_hop_specific_query_synthesizer",
    }
    (found,) = imported(table(tmp_path / "testset.csv", row), Format.RAGAS).items
    assert (found.response, found.hallucinated, found.category) == (None, None, row["synthesizer_name"])
    assert [context.text for context in found.contexts] == [POLICY]


def test_numpy_lists_are_not_joined(tmp_path: Path) -> None:
    """NumPy writes a list without commas, which Python would read as one string: here it stays several."""
    cell = f"[{POLICY!r}\n {OTHER!r}]"
    (found,) = imported(table(tmp_path / "set.csv", NEW | {"retrieved_contexts": cell}), Format.RAGAS).items
    assert [context.text for context in found.contexts] == [POLICY, OTHER]


@pytest.mark.parametrize("cell", ["[1, 2]", "[see annex] and [below]", "[", "[__import__('os')]", "['a', f'{1}']"])
def test_text_in_brackets_is_one_context(tmp_path: Path, cell: str) -> None:
    """A cell that is no list of strings is one context, or refused; nothing in it is run."""
    found = imported(table(tmp_path / "set.csv", NEW | {"retrieved_contexts": cell}), Format.RAGAS)
    texts = [context.text for item in found.items for context in item.contexts]
    assert texts == [cell] or refused(found) == [("line 2", "retrieved_contexts.0")]


def test_ragas_conversations_are_refused(tmp_path: Path) -> None:
    """A sample of several turns is no item; the field is named."""
    turns = [{"content": "Hello", "type": "human"}, {"content": "Hi", "type": "ai"}]
    found = imported(lines(tmp_path / "set.jsonl", {"user_input": turns, "reference": "x"}, NEW), Format.RAGAS)
    assert (refused(found), len(found.items)) == ([("line 1", "user_input")], 1)


SNAKE = {
    "input": QUESTION,
    "actual_output": GOOD,
    "expected_output": "Within 30 days.",
    "retrieval_context": [POLICY],
    "context": ["What an ideal retriever finds."],
    "name": None,
    "comments": None,
    "source_file": None,
    "tools_called": None,
    "expected_tools": None,
    "additional_metadata": None,
    "custom_column_key_values": None,
}
CAMEL = {
    "name": "test_case_0",
    "input": QUESTION,
    "actualOutput": GOOD,
    "expectedOutput": "Within 30 days.",
    "context": ["What an ideal retriever finds."],
    "retrievalContext": [POLICY],
    "success": False,
    "metricsData": [{"name": "Faithfulness", "score": 0.2, "success": False}],
    "order": 0,
}


@pytest.mark.parametrize(
    "document",
    [
        [SNAKE],
        {"goldens": [SNAKE], "conversationalGoldens": []},
        {"testCases": [CAMEL], "conversationalTestCases": [], "metricsScores": [], "testPassed": 0},
        {"goldens": [CAMEL]},
        SNAKE,
    ],
)
def test_deepeval_in_both_cases(tmp_path: Path, document: Any) -> None:
    """Saved data sets, test runs and what comes from Confident AI; the context that the response was made from counts."""
    (found,) = imported(write(tmp_path / "set.json", document), Format.DEEPEVAL).items
    assert (found.question, found.response) == (QUESTION, GOOD)
    assert [context.text for context in found.contexts] == [POLICY]
    assert found.hallucinated is None  # what a metric says is no label
    assert "Within 30 days." in found.reason


def test_deepeval_golden_without_output(tmp_path: Path) -> None:
    """A golden that was not run is for applications, whether its output is null or an empty cell."""
    golden_row = {"input": QUESTION, "actual_output": None, "expected_output": GOOD, "context": f"{POLICY}|{OTHER}"}
    (of_json,) = imported(
        write(tmp_path / "a.json", [golden_row | {"context": [POLICY, OTHER], "retrieval_context": None}]),
        Format.DEEPEVAL,
    ).items
    (of_csv,) = imported(table(tmp_path / "a.csv", golden_row), Format.DEEPEVAL).items
    assert (of_json.response, of_csv.response) == (None, None)
    assert [context.text for context in of_csv.contexts] == [POLICY, OTHER]
    assert of_csv.id == of_json.id


def test_deepeval_conversations_are_refused(tmp_path: Path) -> None:
    """Goldens of several turns are refused one by one, under the name of their list."""
    turn = {"scenario": "A return", "turns": [{"role": "user", "content": "Hi"}], "context": [POLICY]}
    found = imported(
        write(tmp_path / "a.json", {"goldens": [SNAKE], "conversational_goldens": [turn]}), Format.DEEPEVAL
    )
    assert (refused(found), len(found.items)) == ([("conversational_goldens 1", "turns")], 1)


def test_named_columns(tmp_path: Path) -> None:
    """Columns by name; several of contexts are joined, and a delimiter parts the texts of a cell."""
    row = {
        "q": QUESTION,
        "doc1": f"{POLICY}##{OTHER}",
        "doc2": "More.",
        "a": BAD,
        "verdict": "unsupported",
        "key": "k-1",
        "x": "y",
    }
    found = imported(
        table(tmp_path / "t.csv", row),
        Format.COLUMNS,
        question="q",
        contexts=("doc1", "doc2"),
        response="a",
        label="verdict",
        id="key",
        delimiter="##",
        category="own",
    )
    (made,) = found.items
    assert (made.id, made.question, made.response, made.hallucinated) == ("k-1", QUESTION, BAD, True)
    assert [context.text for context in made.contexts] == [POLICY, OTHER, "More."]
    assert (made.category, list(found.ignored)) == ("own", ["x"])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"label": "supported"}, False),
        ({"label": "Not_Supported"}, True),
        ({"label": "neutral"}, True),
        ({"label": "hallucinated"}, True),
        ({"label": "faithful"}, False),
        ({"label": "unsure"}, None),
        ({"label": None}, None),
        ({"label": ""}, None),
        ({"hallucinated": True}, True),
        ({"hallucinated": False}, False),
        ({"hallucinated": "no"}, False),
        ({"hallucinated": 1}, True),
        ({"hallucinated": None}, None),
        ({"label": "supported", "hallucinated": 0}, False),
        ({}, None),
    ],
)
def test_labels(tmp_path: Path, told: dict[str, Any], said: object) -> None:
    """A label is what the row says; what it does not say stays unknown."""
    (found,) = imported(lines(tmp_path / "a.jsonl", OLD | told), Format.COLUMNS).items
    assert found.hallucinated is said


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"label": 1}, "label"),  # 1 may mean either
        ({"label": "fine"}, "label"),
        ({"hallucinated": "maybe"}, "hallucinated"),
        ({"label": "supported", "hallucinated": True}, "label"),
        ({"contexts": []}, "contexts"),
        ({"contexts": [1]}, "contexts.0"),
        ({"contexts": 7}, "contexts"),
        ({"contexts": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, "contexts"),
        ({"question": 7}, "question"),
        ({"question": None, "answer": None}, "question"),
        ({"answer": None, "hallucinated": True}, "response"),
        ({"id": "no spaces please"}, "id"),
        ({"category": "x" * 101}, "category"),
        ({"question": "a\0b"}, "question"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, changed: dict[str, Any], field: str) -> None:
    """With its line and field; its neighbours are used."""
    found = imported(
        lines(tmp_path / "a.jsonl", OLD | {"id": "one"}, OLD | {"id": "two", "question": "?"} | changed), Format.COLUMNS
    )
    assert refused(found) == [("line 2", field)]
    assert [item.id for item in found.items] == ["one"]


@pytest.mark.parametrize("line", ["{", "[1]", "7", '{"question": "\\ud800"}'])
def test_broken_lines_are_refused(tmp_path: Path, line: str) -> None:
    """A line that is no object is refused in its place."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(OLD) + "\n" + line + "\n", encoding="utf-8")
    found = imported(path, Format.COLUMNS)
    assert [place for place, _ in refused(found)] == ["line 2"]


def test_the_same_texts_twice(tmp_path: Path) -> None:
    """One item of rows with the same texts, labelled if one of them is; none if their labels contradict."""
    rows = [OLD, OLD | {"label": "supported"}, OLD | {"question": "?", "label": "supported"}]
    found = imported(lines(tmp_path / "a.jsonl", *rows, rows[2] | {"label": "neutral"}), Format.COLUMNS)
    assert [(item.hallucinated, item.question) for item in found.items] == [(False, QUESTION)]
    assert [(each.place, each.first) for each in found.repeated] == [("line 1", "line 2")]
    assert refused(found) == [("line 3", "label"), ("line 4", "label")]


def test_two_rows_with_one_id(tmp_path: Path) -> None:
    """The second of two rows with one id is refused."""
    found = imported(lines(tmp_path / "a.jsonl", OLD | {"id": "a"}, OLD | {"id": "a", "question": "?"}), Format.COLUMNS)
    assert refused(found) == [("line 2", "id")]


def test_contexts_keep_their_ids(tmp_path: Path) -> None:
    """A context without one has its position, prefixed where that is another's."""
    contexts = [{"text": "x"}, {"id": "0", "content": "y"}, "z"]
    (found,) = imported(lines(tmp_path / "a.jsonl", OLD | {"contexts": contexts}), Format.COLUMNS).items
    assert [(each.id, each.text) for each in found.contexts] == [("_0", "x"), ("0", "y"), ("2", "z")]


def test_json_that_is_lines(tmp_path: Path) -> None:
    """A file of lines may be called .json; NaN, which tools write for a missing figure, refuses nothing."""
    path = lines(tmp_path / "a.json", OLD, OLD | {"question": "?"})
    assert len(imported(path, Format.COLUMNS).items) == 2
    path.write_text(json.dumps([OLD | {"faithfulness": float("nan"), "label": float("nan")}]), encoding="utf-8")
    assert len(imported(path, Format.COLUMNS).items) == 1


@pytest.mark.parametrize("text", ["7", '"x"', "{", ""])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    """What is no list of rows at all is refused as a whole."""
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StartRefusedError):
        imported(path, Format.COLUMNS)


# --- the command


def test_import_makes_a_set(tmp_path: Path) -> None:
    """The set is made, a second import adds nothing, and both say so."""
    path = lines(tmp_path / "a.jsonl", NEW, NEW | {"user_input": "?"})
    first = golden("import", str(path), str(tmp_path / "new"), "--format", "ragas")
    before = (tmp_path / "new" / "items.jsonl").read_bytes()
    second = golden("import", str(path), str(tmp_path / "new"), "--format", "ragas")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "2 items added" in first.output
    assert "not added twice: 2" in second.output
    assert (tmp_path / "new" / "items.jsonl").read_bytes() == before
    assert len(read_items(tmp_path / "new" / "items.jsonl")) == 2


def test_import_says_what_was_refused(tmp_path: Path) -> None:
    """Exit status 1, each row with its field, at 80 columns whole; the others are in the set."""
    path = lines(tmp_path / "a.jsonl", OLD, OLD | {"contexts": None, "question": "?"})
    done = golden("import", str(path), str(tmp_path / "set.jsonl"), columns=80)
    assert (done.exit_code, len(read_items(tmp_path / "set.jsonl"))) == (1, 1)
    assert "line 2" in done.output
    assert "There are no contexts to check a response against." in done.output
    assert "Refused: 1 of 2 rows." in done.output


def test_import_against_a_set(tmp_path: Path) -> None:
    """Texts that are there with another label, and ids that are there with other texts, are refused."""
    target = str(tmp_path / "set.jsonl")
    golden("import", str(lines(tmp_path / "a.jsonl", OLD | {"id": "a", "label": "supported"})), target)
    before = Path(target).read_bytes()
    rows = [OLD | {"id": "b", "label": "neutral"}, OLD | {"id": "a", "question": "?"}]
    done = golden("import", str(lines(tmp_path / "b.jsonl", *rows)), target)
    assert (done.exit_code, Path(target).read_bytes()) == (1, before)
    assert "with another label" in done.output
    assert "with other texts" in done.output


def test_import_refuses(tmp_path: Path) -> None:
    """A misspelt column, a shipped set, a missing file and a set with broken lines, each with a sentence."""
    path, broken = str(lines(tmp_path / "a.jsonl", OLD)), tmp_path / "broken.jsonl"
    broken.write_text("{\n", encoding="utf-8")
    for arguments, said in (
        ((path, str(tmp_path / "s"), "--label-column", "lable"), "No row has a field lable."),
        ((path, "core"), "comes with Assay"),
        ((str(tmp_path / "none.json"), str(tmp_path / "s")), "cannot be read"),
        ((path, str(broken)), "not a JSON object"),
        ((path, str(tmp_path / "s"), "--category", "x" * 101), "at most 100"),
    ):
        done = golden("import", *arguments)
        assert (done.exit_code, said in done.output) == (2, True), done.output
    assert not (tmp_path / "s").exists()
