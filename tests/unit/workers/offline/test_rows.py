"""What comes out: one row for each row in, in the shape of GET /score/{id}."""

from pathlib import Path
from typing import Any

import pytest

from service.core.errors import StartRefusedError
from service.core.sample_schemas import SampleAnswer, ScoreAnswer
from tests.unit.workers.offline.support import BAD, GOOD, KETTLE, Quiet, RecordingScorer, answers, lines, scored
from workers.offline.answer import NEXT_STEP, RowAnswer, RowScore
from workers.offline.shape import Fields
from workers.offline.summary import summary


def out_of(folder: Path, rows: list[Any], **options: Any) -> list[dict[str, Any]]:
    file, out = folder / "in.jsonl", folder / "out.jsonl"
    file.write_bytes(lines(rows))
    scored(file, out, **options)
    return answers(out)


def test_shape_is_that_of_a_sample() -> None:
    """A row has the fields of SampleAnswer, in their order; so has its score."""
    assert list(RowAnswer.model_fields) == list(SampleAnswer.model_fields)
    assert list(RowScore.model_fields) == list(ScoreAnswer.model_fields)


def test_a_scored_row(tmp_path: Path) -> None:
    """Score, claims and evidence are those of the scorer; what a file cannot know is null."""
    (row,) = out_of(tmp_path, [BAD | {"id": "a", "release": "r1"}])
    assert (row["id"], row["status"], row["score"], row["flagged"], row["threshold"]) == ("a", "scored", 1, True, 0.75)
    assert (row["received_at"], row["finished_at"], row["decision"], row["scores"][0]["created_at"]) == (None,) * 4
    claim = row["claims"][0]
    assert (claim["text"], claim["verdict"]) == (BAD["response"], "unsupported")
    assert claim["evidence"] == {"context_id": "0", "start": 0, "end": len(KETTLE), "text": KETTLE}


def test_states_other_than_scored(tmp_path: Path) -> None:
    """Nothing to check, and could not be scored, are states with their reasons and without a score."""
    rows = out_of(tmp_path, [{"response": "x"}, GOOD | {"response": "[[fake:nan]] The kettle."}])
    found = [(row["status"], row["reason"], row["score"], row["flagged"], row["scores"]) for row in rows]
    assert found == [
        ("not_applicable", "no_context", None, None, []),
        ("unscored", "not_finite", None, None, []),
    ]


def test_bad_rows_stay_in_their_place(tmp_path: Path) -> None:
    """A bad row becomes an error row that names id, line and field; its neighbours are scored."""
    rows = out_of(tmp_path, [GOOD | {"id": "a"}, {"id": "b"}, "{", 7, GOOD | {"id": "c", "cost_usd": "x"}, GOOD])
    assert [(r["id"], r.get("line"), r.get("problem", {}).get("field")) for r in rows] == [
        ("a", None, None),
        ("b", 2, "response"),
        (None, 3, ""),
        (None, 4, ""),
        ("c", 5, "cost_usd"),
        (None, None, None),
    ]
    assert rows[1]["problem"] | {"detail": ""} == {
        "type": "urn:assay:problem:payload_invalid",
        "title": "The request body is not a valid submission.",
        "status": 422,
        "code": "payload_invalid",
        "detail": "",
        "field": "response",
        "next_step": NEXT_STEP,
        "id": None,
    }


def test_a_row_that_makes_the_scorer_raise_is_alone(tmp_path: Path) -> None:
    """It is unscored; the rows that it was read with are scored."""
    rows = out_of(tmp_path, [GOOD, GOOD | {"response": "[[fake:raise]] The kettle."}, GOOD])
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("scored", None),
        ("unscored", "failed_alone"),
        ("scored", None),
    ]


def test_unknown_fields_are_ignored_and_told(tmp_path: Path) -> None:
    """Tables are wide: a field that no submission has is left out, and named at the end."""
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_bytes(lines([GOOD | {"customer": 7, "label": "supported"}]))
    assert scored(file, out).ignored == ("customer", "label")
    assert answers(out)[0]["status"] == "scored"


def test_chosen_fields(tmp_path: Path) -> None:
    """Chosen fields are the contexts and the response, whatever else is called so; several make several contexts."""
    row = {"premise": "Red tea.", "more": [KETTLE], "hypothesis": KETTLE, "answer": "Whales.", "contexts": ["Whales."]}
    fields = Fields(contexts=("premise", "more", "absent"), response="hypothesis")
    (found,) = out_of(tmp_path, [row], fields=fields)
    assert found["claims"][0]["text"] == KETTLE
    assert found["claims"][0]["evidence"] == {"context_id": "1", "start": 0, "end": len(KETTLE), "text": KETTLE}


def test_labels(tmp_path: Path) -> None:
    """Scored rows are held against their labels; those without a usable one are counted apart."""
    file = tmp_path / "in.jsonl"
    wanted = ["supported", "not_supported", "maybe"]
    file.write_bytes(lines([row | {"label": label} for row, label in zip([GOOD, BAD, BAD], wanted, strict=True)]))
    tally = scored(file, tmp_path / "out.jsonl", fields=Fields(label="label")).tally
    assert tally.labelled is not None
    assert (list(tally.labelled.scores), list(tally.labelled.positive)) == ([0.0, 1.0], [0, 1])
    assert tally.without_label == 1


def test_many_rows_are_scored_together(tmp_path: Path) -> None:
    """The scorer takes as many rows at once as a worker would: at most `take_rows`, at most `take_tokens`."""
    rows: list[Any] = [GOOD | {"response": f"The kettle {i}."} for i in range(10)]
    scorer = RecordingScorer()
    watcher = Quiet()
    out_of(tmp_path, rows, scorer=scorer, watcher=watcher, take_rows=4)
    assert scorer.calls == [4, 4, 2]
    assert watcher.begun == (10, 0)


def test_the_output_is_never_the_input(tmp_path: Path) -> None:
    """An existing file that is not an interrupted run's output is left alone; `--restart` overwrites it."""
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_bytes(lines([GOOD]))
    out.write_bytes(b"precious\n")
    with pytest.raises(StartRefusedError, match="--restart"):
        scored(file, out)
    assert out.read_bytes() == b"precious\n"
    scored(file, out, restart=True)
    assert [row["status"] for row in answers(out)] == ["scored"]


def test_a_misspelt_column_is_refused(tmp_path: Path) -> None:
    """A header shows it before anything is scored; the refusal names the columns there are."""
    file, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    file.write_text("passage,response\na,b\n", encoding="utf-8")
    with pytest.raises(StartRefusedError, match=r"no column nope\. Name one of these: passage, response"):
        scored(file, out, fields=Fields(contexts=("nope",)))
    assert not out.exists()
    assert not scored(file, out, fields=Fields(contexts=("passage",))).failed


def test_a_field_that_no_row_has_fails(tmp_path: Path) -> None:
    """Lines have no header: the run ends as failed and says which name was not found; one row that has it is enough."""
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_bytes(lines([GOOD, GOOD | {"passage": KETTLE}]))
    result = scored(file, out, fields=Fields(contexts=("nope", "passage")))
    assert (result.failed, result.unseen) == (True, ("nope",))
    assert "no row has the field that was named: nope" in summary(result, fingerprint="f", seconds=1.0)
