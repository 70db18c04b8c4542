"""The template of an HTTP target: what an item becomes, and where in an answer its response is."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import StartRefusedError
from tests.property.strategies import LAW
from tests.unit.workers.golden_support import item
from workers.golden.template import (
    CHAT_INSTRUCTION,
    CONTEXTS,
    ID,
    QUESTION,
    NoResponseError,
    Template,
    chat_template,
    path_of,
    plain_template,
    read_template,
)

PLACEHOLDERS = (QUESTION, CONTEXTS, ID)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [*PLACEHOLDERS, '"}', '", "x": "', "{{", "}}", "{{question", r"\1", "\\u0022", "%s {0}"]
)
PARTS = st.lists(TEXTS | st.sampled_from(PLACEHOLDERS), max_size=4).map("".join)
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | PARTS | st.sampled_from(PLACEHOLDERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS, inner, max_size=3),
    max_leaves=8,
)


def two(question: str | None = "Q?", *texts: str) -> Any:
    """An item with these contexts."""
    contexts = [{"id": f"c{number}", "text": text} for number, text in enumerate(texts or ("First.", "Second."))]
    return item("i-1", question=question, contexts=contexts)


def test_a_placeholder_alone_becomes_what_it_stands_for() -> None:
    """Contexts a list of texts; question and id texts."""
    template = Template(body={"q": QUESTION, "c": CONTEXTS, "i": ID, "n": 3, "t": True, "z": None})
    filled = template.fill(two())
    assert filled == {"q": "Q?", "c": ["First.", "Second."], "i": "i-1", "n": 3, "t": True, "z": None}


def test_within_a_longer_text_it_becomes_text() -> None:
    """Contexts with an empty line between them; as often as it stands there."""
    template = Template(body=f"{ID}: {CONTEXTS}\n{QUESTION} {QUESTION}")
    assert template.fill(two()) == "i-1: First.\n\nSecond.\nQ? Q?"


def test_it_is_filled_at_every_depth() -> None:
    """In lists and objects; names of fields stay."""
    template = Template(body=[{"a": [[QUESTION]], QUESTION: {"b": f"<{ID}>"}}])
    assert template.fill(two()) == [{"a": [["Q?"]], QUESTION: {"b": "<i-1>"}}]


def test_filling_leaves_the_template_as_it_was() -> None:
    """A body that is filled twice is the same twice, and lists of contexts are not shared."""
    template = plain_template("")
    first = template.fill(two())
    first["contexts"].append("more")
    assert template.fill(two()) == {"question": "Q?", "contexts": ["First.", "Second."]}


def test_without_question_and_contexts() -> None:
    """An empty text, an empty list."""
    bare = item("i-1", question=None, contexts=[])
    assert Template(body=[QUESTION, CONTEXTS, f"<{CONTEXTS}{QUESTION}>"]).fill(bare) == ["", [], "<>"]


def test_what_is_inserted_is_not_looked_through() -> None:
    """A question that says {{contexts}} is sent as it says."""
    hostile = two(CONTEXTS, QUESTION, ID)
    filled = Template(body={"a": QUESTION, "b": f"{QUESTION}|{CONTEXTS}|{ID}", "c": CONTEXTS}).fill(hostile)
    assert filled == {"a": CONTEXTS, "b": f"{CONTEXTS}|{QUESTION}\n\n{ID}|i-1", "c": [QUESTION, ID]}


@LAW
@given(body=BODIES, question=st.none() | TEXTS, texts=st.lists(TEXTS, max_size=3))
def test_no_text_of_an_item_changes_the_shape(body: Any, question: str | None, texts: list[str]) -> None:
    """The body is the template with each text replaced in one pass, whatever the item says; over the wire too."""
    contexts = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    filled = Template(body=body).fill(item("i-1", question=question, contexts=contexts))
    given_texts: dict[str, str] = {QUESTION: question or "", CONTEXTS: "\n\n".join(texts), ID: "i-1"}

    def expected(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: expected(each) for name, each in value.items()}
        if isinstance(value, list):
            return [expected(each) for each in value]
        if not isinstance(value, str):
            return value
        if value == CONTEXTS:
            return texts
        return re.sub("|".join(map(re.escape, PLACEHOLDERS)), lambda found: given_texts[found[0]], value)

    assert filled == expected(body)
    assert json.loads(json.dumps(filled)) == filled


@pytest.mark.parametrize("name", ["response", "answer", "output", "actual_output"])
def test_a_plain_answer(name: str) -> None:
    """The response by any of the names that POST /score takes, or the document itself."""
    template = plain_template("")
    assert template.read({name: "Yes.", "other": 1}) == "Yes."
    assert template.read("Yes.") == "Yes."
    assert template.read({name: ""}) == ""


@pytest.mark.parametrize(
    ("path", "document", "response"),
    [
        ("choices.0.message.content", {"choices": [{"message": {"content": "Yes."}}]}, "Yes."),
        ("a.1", {"a": ["x", "y"]}, "y"),
        ("0", ["x"], "x"),
        ("a.0", {"a": {"0": "by name"}}, "by name"),
        (".a.", {"a": "x"}, "x"),
    ],
)
def test_a_response_at_a_path(path: str, document: Any, response: str) -> None:
    """Names of fields and positions in lists."""
    assert plain_template(path).read(document) == response


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("", {"result": "Yes."}),
        ("", ["Yes."]),
        ("", None),
        ("", {"response": None, "answer": 1}),
        ("a.b", {"a": "text"}),
        ("a.2", {"a": ["x", "y"]}),
        ("a.-1", {"a": ["x"]}),
        ("a.b", {"a": []}),
        ("a", {"a": {"b": "x"}}),
        ("choices.0.message.content", {"choices": [{"message": {"content": None}}]}),
        ("choices.0.message.content", {"error": "busy"}),
    ],
)
def test_no_response(path: str, document: Any) -> None:
    """What is not there, or is no text, is no response: it is never guessed."""
    with pytest.raises(NoResponseError):
        plain_template(path).read(document)


def test_a_chat() -> None:
    """Model, instruction, question with its passages; a temperature only where one is given."""
    body = chat_template("m", None).fill(two())
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": CHAT_INSTRUCTION},
            {"role": "user", "content": "First.\n\nSecond.\n\nQuestion: Q?"},
        ],
    }
    assert chat_template("m", 0.0).fill(two()) == body | {"temperature": 0.0}
    assert chat_template("m", None).read({"choices": [{"message": {"content": "Yes."}}]}) == "Yes."


def test_a_template_that_is_read() -> None:
    """JSON of any shape that has the question somewhere."""
    template = read_template(f'{{"in": [{{"text": "{QUESTION}?"}}], "k": 3}}', "out.text")
    assert template.fill(two("Why")) == {"in": [{"text": "Why?"}], "k": 3}
    assert template.response == path_of("out.text") == ("out", "text")
    assert read_template(f'"{QUESTION}"', "").fill(two("Why")) == "Why"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not JSON"),
        ("{question}", "is not JSON"),
        ('{"q": {{question}}}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", f"nowhere has {QUESTION}"),
        (f'{{"c": "{CONTEXTS}"}}', f"nowhere has {QUESTION}"),
        (f'{{"{QUESTION}": "name of a field"}}', f"nowhere has {QUESTION}"),
    ],
)
def test_a_template_that_is_refused(text: str, told: str) -> None:
    """What is no JSON, and what would ask every item the same; names of fields are not filled in."""
    with pytest.raises(StartRefusedError, match=re.escape(told)):
        read_template(text, "")
