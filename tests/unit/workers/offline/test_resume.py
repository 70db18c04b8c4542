"""Resuming: whole rows are kept, nothing is scored twice, and a run of something else never goes on."""

import fcntl
from pathlib import Path

import pytest

from service.core.errors import StartRefusedError
from tests.unit.workers.offline.support import BAD, GOOD, Quiet, RecordingScorer, lines, scored
from workers.offline.shape import Fields

ROWS = [GOOD | {"id": "a"}, {"id": "b"}, BAD | {"id": "c", "label": "not_supported"}, GOOD | {"id": "d"}]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An input of four rows, one of them bad."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(lines(ROWS))
    return path


def interrupt(file: Path, out: Path, after: int, fields: Fields | None = None) -> None:
    """A run that Ctrl-C ends after so many rows."""
    with pytest.raises(KeyboardInterrupt):
        scored(file, out, watcher=Quiet(after), fields=fields, take_rows=1)


def test_kept_rows_are_counted_and_not_scored_again(file: Path, tmp_path: Path) -> None:
    """The end's figures are those of all rows, and the scorer saw each response once."""
    out, scorer, watcher = tmp_path / "out.jsonl", RecordingScorer(), Quiet()
    interrupt(file, out, 3, Fields(label="label"))
    result = scored(file, out, scorer=scorer, watcher=watcher, fields=Fields(label="label"))
    assert (result.kept, watcher.begun, scorer.responses) == (3, (4, 3), [GOOD["response"]])
    assert (result.tally.statuses, result.tally.flagged) == ({"scored": 3, "error": 1}, 1)
    assert result.tally.labelled is not None
    assert list(result.tally.labelled.scores) == [1.0]


def test_a_complete_run_leaves_one_file(file: Path, tmp_path: Path) -> None:
    """The state beside the output is there until the last row, and no longer."""
    out = tmp_path / "out.jsonl"
    interrupt(file, out, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl", "out.jsonl.resume"]
    scored(file, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_another_input_is_refused(file: Path, tmp_path: Path) -> None:
    """Also where only a later row changed."""
    out = tmp_path / "out.jsonl"
    interrupt(file, out, 2)
    before = out.read_bytes()
    file.write_bytes(lines([*ROWS, GOOD]))
    with pytest.raises(StartRefusedError, match=r"the input.*--restart"):
        scored(file, out)
    assert out.read_bytes() == before


def test_another_scorer_is_refused(file: Path, tmp_path: Path) -> None:
    """Scores of two fingerprints never stand in one file; `--restart` scores all anew."""
    out = tmp_path / "out.jsonl"
    interrupt(file, out, 2)
    with pytest.raises(StartRefusedError, match=r"the scorer.*--restart"):
        scored(file, out, scorer=RecordingScorer(0.5))
    scorer = RecordingScorer(0.5)
    scored(file, out, scorer=scorer, restart=True)
    assert len(scorer.responses) == 3


def test_other_options_are_refused(file: Path, tmp_path: Path) -> None:
    """Other fields or limits would make other rows."""
    out = tmp_path / "out.jsonl"
    interrupt(file, out, 2)
    for change in ({"fields": Fields(response="id")}, {"max_contexts": 7}):
        with pytest.raises(StartRefusedError, match="the options"):
            scored(file, out, **change)  # type: ignore[arg-type]


def test_a_lost_or_torn_state_is_refused(file: Path, tmp_path: Path) -> None:
    """Without knowing what made the rows, none is added to them."""
    out = tmp_path / "out.jsonl"
    interrupt(file, out, 2)
    state = tmp_path / "out.jsonl.resume"
    for content in (b"", b"{", b"[]", None):
        if content is None:
            state.unlink()
        else:
            state.write_bytes(content)
        with pytest.raises(StartRefusedError, match="--restart"):
            scored(file, out)


def test_two_runs_never_write_one_file(file: Path, tmp_path: Path) -> None:
    """The second is refused while the first is writing."""
    out = tmp_path / "out.jsonl"
    interrupt(file, out, 2)
    with out.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StartRefusedError, match="Another run"):
            scored(file, out)
