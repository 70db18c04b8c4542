"""What a person reads: the summary's numbers, explanations, and no text that a terminal would obey."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress

from service.core.visible import visible
from tests.property.strategies import LAW
from tests.unit.workers.offline.support import BAD, GOOD, Quiet, lines, scored
from workers.offline.explain import explain
from workers.offline.progress import MAX_EXPLAINED, Bar, Explainer, LeftColumn, rows_per_s
from workers.offline.run import Result
from workers.offline.shape import Fields
from workers.offline.summary import summary


def result_of(folder: Path, *rows: object, fields: Fields | None = None, watcher: Quiet | None = None) -> Result:
    file = folder / "in.jsonl"
    file.write_bytes(lines(rows))
    return scored(file, folder / "out.jsonl", restart=True, fields=fields, watcher=watcher)


def told(result: Result) -> dict[str, str]:
    text = summary(result, fingerprint="f", seconds=2.0)
    return {line[:18].strip(): line[18:] for line in text.splitlines()}


def shown(watcher: Quiet) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    for row, answer in watcher.seen:
        console.print(explain(row, answer))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_summary(tmp_path: Path) -> None:
    """Every row is in one count; the rate says what it is a share of, and how sure it is."""
    nan = GOOD | {"response": "[[fake:nan]] The kettle."}
    found = told(result_of(tmp_path, GOOD, GOOD, GOOD, BAD, {"response": "x"}, nan, "{", {"id": "a"}))
    assert {name: found[name] for name in ("rows", "scored", "not applicable", "unscored", "errors", "threshold")} == {
        "rows": "8",
        "scored": "4",
        "not applicable": "1  (no_context 1)",
        "unscored": "1  (not_finite 1)",
        "errors": "2",
        "threshold": "0.75; 1 is bad",
    }
    assert found["flagged"] == "25.0% of the rows of this file that could be checked (1 of 4)"
    assert found["95% interval"].startswith("1.3% to 76.0%, ")  # of 1 in 4
    assert found["speed"] == "8 rows in 2.0 s, 4.0 rows/s"


def test_summary_over_nothing(tmp_path: Path) -> None:
    """A rate over nothing is unknown, never 0."""
    assert told(result_of(tmp_path))["flagged"] == "unknown: no row of this file was scored"


def test_summary_with_labels(tmp_path: Path) -> None:
    """Agreement names its positive class, its n, and the threshold of each figure."""
    rows = [GOOD | {"label": "supported"}, BAD | {"label": "neutral"}, BAD | {"label": "?"}]
    found = told(result_of(tmp_path, *rows, fields=Fields(label="label")))
    assert found["ROC AUC"] == "1.000  (interval unknown)"
    assert found["labels"] == (
        "n 2 scored rows, 1 of them not supported (the positive class); 1 scored rows without a usable label left out"
    )


def test_explanation(tmp_path: Path) -> None:
    """Verdict, claim and evidence can be read without colour; errors and states say why."""
    watcher = Quiet()
    result_of(tmp_path, BAD | {"id": "a", "question": "Who?"}, {"id": "b"}, {"response": "x"}, watcher=watcher)
    text = shown(watcher)
    for expected in (
        "a  flagged: score 1.00, threshold 0.75, 1 is bad",
        "question: Who?",
        "  [?1] Purple whales sing opera.",
        "[?1] unsupported",
        "closest in context 0:",
        "“The kettle can be returned within thirty days.”",
        "error: response: This field is required",
        "line 3  not_applicable (no_context)",
    ):
        assert expected in text


def test_explanation_is_limited(tmp_path: Path) -> None:
    """Long texts and many claims are cut, and say so."""
    watcher = Quiet()
    sentences = " ".join(f"Whales number {i} sing." for i in range(30))
    long = GOOD | {"contexts": ["y" * 5_000], "response": sentences}
    result_of(tmp_path, long, watcher=watcher)
    text = shown(watcher)
    assert "and 10 more claims" in text
    assert "…" in text
    assert len(text) < 30_000


def test_a_hundred_explanations_are_enough(tmp_path: Path) -> None:
    """Beyond that nobody reads; one line says that more were scored."""
    console = Console(file=io.StringIO(), width=100)
    watcher, explainer = Quiet(), Explainer(console)
    result_of(tmp_path, *[GOOD] * (MAX_EXPLAINED + 5), watcher=watcher)
    for row, answer in watcher.seen:
        explainer.scored(row, answer)
    file = console.file
    assert isinstance(file, io.StringIO)
    assert file.getvalue().count("not flagged: score") == MAX_EXPLAINED
    assert file.getvalue().count("More than 100 rows") == 1


@pytest.mark.parametrize(("terminal", "expected"), [(True, True), (False, False)])
def test_the_bar_is_for_terminals(tmp_path: Path, terminal: bool, expected: bool) -> None:  # noqa: FBT001
    """Where standard error is no terminal, nothing is drawn."""
    console = Console(file=io.StringIO(), width=100, force_terminal=terminal)
    watcher = Quiet()
    result_of(tmp_path, GOOD, watcher=watcher)
    with Bar(console) as bar:
        bar.started(1, 0)
        bar.scored(*watcher.seen[0])
    file = console.file
    assert isinstance(file, io.StringIO)
    assert ("1/1" in file.getvalue()) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\rb\x07\x9b", r"a\rb\x07\x9b"),
        ("a\u202eb\u2066\u2028", r"a\u202eb\u2066\u2028"),
        ("tab\there\nline", "tab\\there\nline"),
        ("Ünï 👩\u200d👧 ✓", "Ünï 👩\u200d👧 ✓"),
        ("a" * 30, "a" * 19 + "…"),
    ],
)
def test_visible(text: str, expected: str) -> None:
    """What a terminal would obey is written out; letters, signs and emoji stay; the length is limited."""
    assert visible(text, 20) == expected


@LAW
@given(st.text(), st.integers(1, 40))
def test_nothing_visible_is_obeyed(text: str, limit: int) -> None:
    """Whatever the text, no control but the end of a line is left."""
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in visible(text, limit))


def test_the_rate_is_that_of_this_run() -> None:
    """Rows of an earlier run, and rows that come out many at once, make no rate; the rest takes its share."""
    now = 100.0
    progress = Progress(get_time=lambda: now, console=Console(file=io.StringIO()))
    progress.add_task("scoring", total=100, completed=40, kept=40)
    (task,) = progress.tasks
    assert rows_per_s(task) is None
    progress.advance(task.id, 20)
    assert rows_per_s(task) is None  # no time has passed
    now = 104.0
    assert rows_per_s(task) == 5.0
    assert LeftColumn().render(task).plain == "0:00:08 left"
