"""The laws of offline scoring: one row out for each row in, in order, wherever a run was cut off."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.strategies import BODIES, LAW, SUBMISSIONS
from tests.unit.workers.offline.support import Quiet, RecordingScorer, answers, lines, scored

RAISING = st.just({"contexts": ["x"], "response": "[[fake:raise]] The kettle."})
OTHERS = (b"[", b"\xef\xbb\xbf")  # as the first line they say something of the whole file
BROKEN = BODIES.filter(lambda body: body.strip() and b"\n" not in body and not body.lstrip().startswith(OTHERS))
ROWS = st.lists(st.one_of(SUBMISSIONS, RAISING, BROKEN), max_size=6)


def began(file: Path, out: Path) -> None:
    """A run that was interrupted before its first row, which leaves the state of a run behind."""
    with pytest.raises(KeyboardInterrupt):
        scored(file, out, watcher=Quiet(0))


@LAW
@given(ROWS, st.integers(1, 4))
def test_one_row_out_for_each_row_in(rows: list[Any], together: int) -> None:
    """Rows come out in the order they went in, each as if it were alone, however many are scored together."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "in.jsonl"), Path(folder, "out.jsonl")
        file.write_bytes(lines(rows))
        scored(file, out, take_rows=together)
        found = answers(out)
        alone = []
        for row in rows:
            file.write_bytes(lines([row]))
            scored(file, out, restart=True)
            alone += answers(out)
    assert [_without_line(row) for row in found] == [_without_line(row) for row in alone]


def _without_line(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"line": None}


@LAW
@given(ROWS, st.data())
def test_any_cut_is_taken_up(rows: list[Any], data: st.DataObject) -> None:
    """Cut off anywhere, even within a character, the next run gives the bytes of an uninterrupted one."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "in.jsonl"), Path(folder, "out.jsonl")
        file.write_bytes(lines(rows))
        began(file, out)
        scored(file, out)
        whole = out.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        out.unlink()
        began(file, out)
        out.write_bytes(whole[:cut])
        scorer = RecordingScorer()
        result = scored(file, out, scorer=scorer)
        assert out.read_bytes() == whole
    assert result.kept == whole[:cut].count(b"\n")


def test_every_cut_is_taken_up(tmp_path: Path) -> None:
    """Every cut of one file, byte by byte: nothing is lost, and no row that was whole is scored again."""
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"response": "No context."}, "{", {"contexts": ["🫖"], "response": "Tee ist heiß 🫖."}]
    file.write_bytes(lines(rows))
    began(file, out)
    state = tmp_path / "out.jsonl.resume"
    left_behind = state.read_bytes()
    scored(file, out)
    whole = out.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        state.write_bytes(left_behind)
        out.write_bytes(whole[:cut])
        scorer = RecordingScorer()
        scored(file, out, scorer=scorer)
        left = [row["response"] for row in rows[sum(end <= cut for end in ends) :] if isinstance(row, dict)]
        assert (out.read_bytes(), scorer.responses) == (whole, left)
