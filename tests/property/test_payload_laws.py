"""The laws of payloads."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.core.config import Settings
from service.core.errors import PayloadInvalidError
from service.core.payload import ALIASES, parse_batch, parse_submission
from service.core.schemas import Submission
from tests.property.strategies import BODIES, LAW, SUBMISSIONS, TEXTS

SETTINGS = Settings()


def encoded(sent: dict[str, Any], *, escaped: bool = True) -> bytes:
    return json.dumps(sent, ensure_ascii=escaped).encode()


def parsed(body: bytes) -> Submission | PayloadInvalidError:
    try:
        return parse_submission(body, SETTINGS)
    except PayloadInvalidError as error:
        return error


@LAW
@given(SUBMISSIONS)
def test_texts_come_back_as_sent(sent: dict[str, Any]) -> None:
    """A submission is read as it was sent, character by character, escaped or not."""
    one, other = parse_submission(encoded(sent), SETTINGS), parse_submission(encoded(sent, escaped=False), SETTINGS)
    assert one == other
    assert (one.response, one.question, dict(one.tags)) == (
        sent["response"],
        sent.get("question"),
        sent.get("tags", {}),
    )
    contexts = sent.get("contexts", [])
    texts = [contexts] if isinstance(contexts, str) else [c if isinstance(c, str) else c["text"] for c in contexts]
    assert [context.text for context in one.contexts] == texts


@LAW
@given(SUBMISSIONS, st.data())
def test_aliases_mean_the_same(sent: dict[str, Any], data: st.DataObject) -> None:
    """Whichever alias is used, the submission is the same, also in what counts as sent."""
    chosen = {name: data.draw(st.sampled_from([name, *aliases])) for name, aliases in ALIASES.items()}
    renamed = {chosen.get(name, name): value for name, value in sent.items()}
    one, other = parse_submission(encoded(sent), SETTINGS), parse_submission(encoded(renamed), SETTINGS)
    assert one.model_dump(mode="json", exclude_unset=True) == other.model_dump(mode="json", exclude_unset=True)


@LAW
@given(BODIES)
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Whatever is sent, it becomes a submission without U+0000, or an error that can be answered."""
    found = parsed(body)
    if isinstance(found, Submission):
        assert "\\u0000" not in found.model_dump_json().replace("\\\\", "")
    else:
        assert len(found.field or "") <= 200
        assert f"{found.detail}{found.field}".encode()


@LAW
@given(SUBMISSIONS, st.sampled_from(["question", "response", "contexts", "samples", "tags"]), TEXTS, TEXTS)
def test_nul_is_never_accepted(sent: dict[str, Any], field: str, before: str, after: str) -> None:
    """U+0000 anywhere in a text, or in a name, is refused."""
    text = f"{before}\0{after}"
    values: dict[str, Any] = {"contexts": [text], "samples": [text], "tags": {text: "x"}}
    found = parsed(encoded(sent | {field: values.get(field, text)}))
    assert isinstance(found, PayloadInvalidError)


@LAW
@given(st.lists(BODIES.filter(lambda body: b"\n" not in body and b"\r" not in body and bool(body.strip())), max_size=5))
def test_lines_are_items(bodies: list[bytes]) -> None:
    """A line of NDJSON fares as it would alone, in any company."""
    items = list(parse_batch(b"\n".join(bodies), SETTINGS, lines=True))
    assert [_fate(item) for item in items] == [_fate(parsed(body)) for body in bodies]


@LAW
@given(st.lists(SUBMISSIONS, max_size=5))
def test_array_and_lines_are_the_same_batch(sent: list[dict[str, Any]]) -> None:
    """A batch may be written either way."""
    array = parse_batch(json.dumps(sent).encode(), SETTINGS, lines=False)
    lines = parse_batch(b"\n".join(map(encoded, sent)), SETTINGS, lines=True)
    assert list(array) == list(lines)


def _fate(item: Submission | PayloadInvalidError) -> object:
    return item if isinstance(item, Submission) else (item.detail, item.field)
