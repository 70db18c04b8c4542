"""Items of golden sets: what makes two of them the same, what an application is asked, and the published schema."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from models.types import Verdict
from service.core.golden.item import (
    ITEM_SCHEMA_ID,
    GoldenClaim,
    GoldenContext,
    GoldenEvidence,
    GoldenItem,
    item_digest,
    item_schema,
    questions,
    set_digest,
)
from tests.unit.service.golden.runs import item

SCHEMA = Path(__file__).resolve().parents[4] / "golden_sets" / "item.schema.json"
OTHER = (GoldenContext(id="c", text="It is 4."),)
EVIDENCE = GoldenEvidence(context_id="c", start=0, end=8, text="It is 2.")
CLAIM = GoldenClaim(start=0, end=8, text="It is 3.", verdict=Verdict.CONTRADICTED, evidence=(EVIDENCE,))


def changed(**changes: Any) -> GoldenItem:
    return item().model_copy(update=changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "b?"},
        {"question": None},
        {"contexts": OTHER},
        {"contexts": ()},
        {"contexts": (GoldenContext(id="d", text="It is 2."),)},
        {"response": "It is 2."},
        {"response": None},
        {"hallucinated": False},
        {"hallucinated": None},
    ],
)
def test_what_a_run_depends_on_makes_another_item(changes: dict[str, Any]) -> None:
    """Another question, context, response or label is another version of the item, and of the set."""
    assert item_digest(changed(**changes)) != item_digest(item())
    assert set_digest([changed(**changes)]) != set_digest([item()])


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "d"},
        {"difficulty": "hard"},
        {"reason": "The passage says 2."},
        {"source": "s"},
        {"pair": "p"},
        {"claims": (CLAIM,)},
    ],
)
def test_what_explains_an_item_leaves_it_the_same(changes: dict[str, Any]) -> None:
    """Words about an item change neither its digest nor the set's."""
    assert item_digest(changed(**changes)) == item_digest(item())
    assert set_digest([changed(**changes)]) == set_digest([item()])


@pytest.mark.parametrize("changes", [{"id": "b"}, {"category": "names"}])
def test_names_and_categories_are_the_set_s(changes: dict[str, Any]) -> None:
    """By another id or category an item is the same, yet the set is another: its comparison would be told otherwise."""
    assert item_digest(changed(**changes)) == item_digest(item())
    assert set_digest([changed(**changes)]) != set_digest([item()])


def test_order_of_a_set_does_not_matter() -> None:
    """A set is the same in any order; with an item less it is another."""
    items = [item(name) for name in "abc"]
    assert len({set_digest(list(order)) for order in permutations(items)}) == 1
    assert set_digest(items[:2]) != set_digest(items)


def test_digests_stay_what_they_are() -> None:
    """Baselines that were written by earlier versions hold digests; a change of the digest would leave out all their items."""
    assert item_digest(item()) == "33452fe1f79ee813338d1ab9e51209b0cf2b90437434f59ea47713898452123e"
    assert set_digest([item("b"), item("a")]) == "359cf6855a5da1d7192a41b4359346d3f88d99b7cabab6889f0f24412afead32"


def test_questions() -> None:
    """Each question is asked once with the same passages, whatever they are called; an item without one is not asked."""
    again = (GoldenContext(id="other", text="It is 2."),)
    items = [
        item("a", question="q", pair="p"),
        item("b", question="q", pair="p", contexts=again, response="It is 2.", hallucinated=False),
        item("c", question="q", contexts=OTHER),
        item("d", question=None),
        item("e", question="other"),
        item("f", question="q", contexts=OTHER * 2),
    ]
    assert [each.id for each in questions(items)] == ["a", "c", "e", "f"]


def test_the_published_schema_is_this_one() -> None:
    """`golden_sets/item.schema.json` is what the code says, under the id that documents name."""
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == item_schema()
    assert published["$id"] == ITEM_SCHEMA_ID
    jsonschema.Draft202012Validator.check_schema(published)


def test_the_schema_takes_what_the_code_takes() -> None:
    """A full item and a bare one are valid by the schema; another field, another verdict or a bad id are not, by either."""
    schema = jsonschema.Draft202012Validator(item_schema())
    for good in ({"id": "a"}, changed(claims=(CLAIM,)).model_dump(mode="json")):
        assert list(schema.iter_errors(good)) == []
        assert GoldenItem.model_validate(good).id == "a"
    for bad in ({}, {"id": "a b"}, {"id": "a", "label": True}, {"id": "a", "claims": [{"start": -1}]}):
        assert list(schema.iter_errors(bad)) != []
        with pytest.raises(ValidationError):
            GoldenItem.model_validate(bad)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hallucinated": "yes"},
        {"hallucinated": 1},
        {"claims": [CLAIM.model_dump() | {"start": 1.0}]},
        {"category": "c" * 101},
        {"contexts": [{"id": "", "text": ""}]},
        {"id": ".a"},
        {"id": "a" * 101},
    ],
)
def test_nothing_is_guessed(wrong: dict[str, Any]) -> None:
    """Labels are booleans, offsets whole numbers, ids plain; nothing is turned into what it might have meant."""
    with pytest.raises(ValidationError):
        GoldenItem.model_validate({"id": "a"} | wrong)
