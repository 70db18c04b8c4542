"""The laws of golden items on their way in: nothing is lost, nothing is there twice, and spans are what they quote."""

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.core.golden.item import GoldenItem
from service.core.golden.sets import read_items, read_quarantine
from tests.property.strategies import LAW, TEXTS
from tests.unit.workers.golden_support import imported, item, write_items
from workers.golden.adding import add_items
from workers.golden.importing_layouts import Format
from workers.golden.linting import lint
from workers.golden.linting_items import lint_item
from workers.golden.quarantine import add_entry, entry_of, remove_entry

TODAY = date(2026, 11, 27)
LABEL_WORDS = {"supported": False, "neutral": True, "": None}
ROWS = st.lists(
    st.fixed_dictionaries(
        {"user_input": st.none() | TEXTS, "retrieved_contexts": st.lists(TEXTS, max_size=3)},
        optional={"response": st.none() | TEXTS, "reference": TEXTS, "label": st.sampled_from(sorted(LABEL_WORDS))},
    ),
    max_size=6,
)


@LAW
@given(ROWS)
def test_import_then_lint_is_clean(rows: list[dict[str, Any]]) -> None:
    """Every row is an item, a repetition or refused with its place; what came in has no error, and comes in once."""
    with tempfile.TemporaryDirectory() as folder:
        file, target = Path(folder, "in.jsonl"), Path(folder, "set.jsonl")
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        found = imported(file, Format.RAGAS)
        assert len(found.items) + len(found.repeated) + len(found.refused) == len(rows)
        assert all(each.place and each.sentence for each in found.refused)
        add_items(str(target), found.items)
        if not found.items:
            return
        once = target.read_bytes()
        assert read_items(target) == tuple(found.items)
        again = add_items(str(target), imported(file, Format.RAGAS).items)
        assert (again.added, target.read_bytes()) == ([], once)
        assert lint(str(target), TODAY).errors == 0


@LAW
@given(TEXTS.filter(bool), TEXTS.filter(bool), st.data())
def test_spans_are_what_they_quote(response: str, context: str, data: st.DataObject) -> None:
    """A claim and its evidence are clean exactly where they are the stretches of text that their offsets name."""
    start = data.draw(st.integers(0, len(response) - 1))
    end = data.draw(st.integers(start + 1, len(response)))
    first = data.draw(st.integers(0, len(context) - 1))
    last = data.draw(st.integers(first + 1, len(context)))
    quoted = data.draw(st.just(context[first:last]) | TEXTS)
    said = data.draw(st.just(response[start:end]) | TEXTS)
    made = GoldenItem.model_validate(
        {
            "id": "a",
            "contexts": [{"id": "c", "text": context}],
            "response": response,
            "hallucinated": False,
            "claims": [
                {
                    "start": start,
                    "end": end,
                    "text": said,
                    "verdict": "supported",
                    "evidence": [{"context_id": "c", "start": first, "end": last, "text": quoted}],
                }
            ],
        }
    )
    fields = {finding.field for finding in lint_item(made)} & {"claims.0", "claims.0.evidence.0"}
    expected = {"claims.0"} if said != response[start:end] else set()
    assert fields == expected | ({"claims.0.evidence.0"} if quoted != context[first:last] else set())


@LAW
@given(st.lists(TEXTS.filter(lambda text: text.strip() != ""), min_size=1, max_size=3), TEXTS)
def test_quarantine_added_and_removed_leaves_the_file(reasons: list[str], comment: str) -> None:
    """Whatever the reasons, entries are read as they were given; removed again, what a person wrote is left."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"i-{n}" for n in range(len(reasons))]
        write_items(Path(folder, "items.jsonl"), *(item(name) for name in names))
        path = Path(folder, "quarantine.toml")
        written = f"# {json.dumps(comment)}\n"
        path.write_text(written, encoding="utf-8")
        for name, reason in zip(names, reasons, strict=True):
            add_entry(folder, entry_of(name, "2026-12-31", reason), TODAY)
        assert [(each.id, each.reason) for each in read_quarantine(path)] == list(zip(names, reasons, strict=True))
        for name in names:
            remove_entry(folder, name)
        assert path.read_text(encoding="utf-8").rstrip("\n") == written.rstrip("\n")
