"""One submission: what is accepted, and what the refusal of everything else says."""

import json
from typing import Any

import pytest

from service.core.payload import ALIASES
from service.core.schemas import ContextSent
from tests.unit.service.support import body, parsed, refusal

ALIAS_PAIRS = [(alias, name) for name, aliases in ALIASES.items() for alias in aliases]
VALUES: dict[str, Any] = {"question": "How long?", "contexts": ["Within 30 days."], "response": "It takes 30 days."}


def test_smallest_body() -> None:
    """A response is all that is required."""
    submission = parsed(b'{"response": ""}')
    assert (submission.response, submission.contexts, submission.question, submission.id) == ("", (), None, None)


@pytest.mark.parametrize(("alias", "name"), ALIAS_PAIRS)
def test_alias_stands_for_name(alias: str, name: str) -> None:
    """Each alias of the field's conventions means the same as the name."""
    sent = dict(VALUES)
    sent[alias] = sent.pop(name)
    assert parsed(json.dumps(sent).encode()) == parsed(json.dumps(VALUES).encode())


@pytest.mark.parametrize(("alias", "name"), ALIAS_PAIRS)
def test_alias_beside_name_is_refused(alias: str, name: str) -> None:
    """Both at once could contradict each other; the field is named."""
    error = refusal(json.dumps(VALUES | {alias: VALUES[name]}).encode())
    assert ("twice" in error.detail, error.field) == (True, name)


def test_two_aliases_are_refused() -> None:
    """Two aliases of one field are as ambiguous as an alias beside the name."""
    error = refusal(b'{"answer": "A.", "output": "A."}')
    assert ("twice" in error.detail, error.field) == (True, "response")


def test_one_string_is_one_context() -> None:
    """A string in place of the list is one context."""
    assert parsed(body(contexts="Within 30 days.")).contexts == (ContextSent(text="Within 30 days."),)


def test_strings_and_objects_mix() -> None:
    """Contexts are strings, or objects with id, text and score."""
    sent = body(contexts=["One.", {"id": "b", "text": "Two.", "score": 0.5}])
    assert parsed(sent).contexts == (ContextSent(text="One."), ContextSent(id="b", text="Two.", score=0.5))


@pytest.mark.parametrize("contexts", [None, []])
def test_no_contexts(contexts: list[str] | None) -> None:
    """Null and an empty list both mean that there was no context."""
    assert parsed(body(contexts=contexts)).contexts == ()


def test_every_field_is_kept() -> None:
    """A body with every field of the contract comes back as it was sent."""
    sent = {
        "id": "chat-7f3a",
        "question": "Q?",
        "contexts": [{"id": "a", "text": "A.", "score": -1.5}],
        "response": "R.",
        "samples": ["S.", "T."],
        "model": "m",
        "release": "r",
        "prompt_version": "p",
        "route": "support",
        "session_id": "s",
        "trace_id": "t",
        "span_id": "sp",
        "response_id": "ri",
        "usage": {"input_tokens": 1, "output_tokens": 2},
        "latency_ms": 1.5,
        "ttft_ms": 0.5,
        "retrieval_ms": 0.0,
        "cost_usd": 0.001,
        "tags": {"plan": "gold"},
        "features": {"temperature": 0.7},
        "occurred_at": "2026-07-01T12:00:00Z",
        "sampling": {"policy_version": "f89f2f2449ae", "stratum": "default", "inclusion_probability": 0.05},
    }
    assert parsed(json.dumps(sent).encode()).model_dump(mode="json") == sent


@pytest.mark.parametrize("name", ["a" * 200, "a.b_c-d:e@f/g+h=i~j", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"])
def test_usual_ids_are_accepted(name: str) -> None:
    """UUIDs, paths, base64 and addresses can be ids."""
    assert parsed(body(id=name)).id == name


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"answerr": "x"}, "answerr"),
        ({"contexts": [{"text": "a", "txet": "b"}]}, "contexts.0.txet"),
        ({"contexts": [{"id": "a"}]}, "contexts.0.text"),
        ({"contexts": ["a", 5]}, "contexts.1"),
        ({"contexts": {"text": "a"}}, "contexts"),
        ({"contexts": ["a", None]}, "contexts.1"),
        ({"contexts": [{"id": "", "text": "a"}]}, "contexts.0.id"),
        ({"id": 5}, "id"),
        ({"id": ""}, "id"),
        ({"id": "two words"}, "id"),
        ({"id": "ends\n"}, "id"),
        ({"id": "é"}, "id"),
        ({"id": "a" * 201}, "id"),
        ({"id": "/"}, "id"),
        ({"id": "a//b"}, "id"),
        ({"id": "a/"}, "id"),
        ({"id": ".."}, "id"),
        ({"id": "a/./b"}, "id"),
        ({"trace_id": 5}, "trace_id"),
        ({"trace_id": ""}, "trace_id"),
        ({"trace_id": "a" * 201}, "trace_id"),
        ({"trace_id": "é" * 101}, "trace_id"),
        ({"question": 5}, "question"),
        ({"response": None}, "response"),
        ({"response": ["R."]}, "response"),
        ({"samples": "S."}, "samples"),
        ({"samples": ["S."] * 21}, "samples"),
        ({"model": ""}, "model"),
        ({"usage": {"input_tokens": -1}}, "usage.input_tokens"),
        ({"usage": {"input_tokens": 1.5}}, "usage.input_tokens"),
        ({"usage": {"total": 1}}, "usage.total"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": "soon"}, "latency_ms"),
        ({"tags": {"plan": 5}}, "tags.plan"),
        ({"tags": {"plan": "x" * 201}}, "tags.plan"),
        ({"tags": ["plan"]}, "tags"),
        ({"tags": {f"t{n}": "x" for n in range(51)}}, "tags"),
        ({"features": {"temperature": "hot"}}, "features.temperature"),
        ({"features": {f"f{n}": 1 for n in range(101)}}, "features"),
        ({"occurred_at": "2026-07-01T12:00:00"}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"tenant": "acme"}, "tenant"),
    ],
)
def test_refusal_names_the_field(fields: dict[str, Any], field: str) -> None:
    """A wrong field is named, with its path."""
    assert refusal(body(**fields)).field == field


def test_missing_response() -> None:
    """Without a response there is nothing to score."""
    error = refusal(b'{"question": "Q?"}')
    assert (error.field, error.detail) == ("response", "This field is required. Add it.")


def test_unknown_field_says_where_it_belongs() -> None:
    """A field that does not exist is refused, so that a misspelt one is not lost silently."""
    assert "`tags`" in refusal(body(customer="x")).detail


def test_more_errors_are_counted() -> None:
    """One error is named and the others are counted."""
    assert "(1 more errors.)" in refusal(body(model="", route="")).detail


def test_most_tags_and_features() -> None:
    """50 tags and 100 features are still accepted."""
    submission = parsed(body(tags={f"t{n}": "x" for n in range(50)}, features={f"f{n}": n for n in range(100)}))
    assert (len(submission.tags), len(submission.features)) == (50, 100)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (body(response="a\0b"), "response"),
        (body(question="\0"), "question"),
        (body(contexts=["a", "\0"]), "contexts.1"),
        (body(contexts=[{"id": "a\0", "text": "b"}]), "contexts.0.id"),
        (body(samples=["a\0"]), "samples.0"),
        (body(tags={"plan": "\0"}), "tags.plan"),
        (body(tags={"pl\0an": "gold"}), "tags"),
        (body(features={"\0": 1}), "features"),
        (body(usage={"\0": 1}), "usage"),
        (body(**{"\0": 1}), ""),
    ],
)
def test_nul_is_refused_wherever_it_is(sent: bytes, field: str) -> None:
    """PostgreSQL cannot store U+0000; it is refused in values and in names, with the place."""
    error = refusal(sent)
    assert ("U+0000" in error.detail, error.field) == (True, field)


def test_raw_nul_is_refused() -> None:
    """A raw zero byte is not JSON."""
    assert "Not valid JSON" in refusal(b'{"response": "a\x00b"}').detail


def test_backslash_before_u0000_is_text() -> None:
    """The six characters backslash u 0 0 0 0 are text like any other."""
    assert parsed(rb'{"response": "a\\u0000"}').response == r"a\u0000"


def test_field_of_a_refusal_is_short() -> None:
    """A refusal never sends a caller's long name back, whatever was wrong."""
    refused = [body(**{"k" * 5_000: 1}), body(tags={"k" * 5_000: "\0"})]
    assert [len(refusal(sent).field or "") <= 200 for sent in refused] == [True, True]


@pytest.mark.parametrize(
    "sent",
    [
        rb'{"response": "\ud800"}',
        rb'{"response": "\udc00\ud800"}',
        rb'{"response": "x", "tags": {"\ud800": "x"}}',
        b'{"response": "\xed\xa0\x80"}',
    ],
)
def test_lone_surrogate_is_refused(sent: bytes) -> None:
    """Half a surrogate pair is not Unicode and cannot be stored."""
    assert refusal(sent).code == "payload_invalid"


def test_surrogate_pair_is_one_character() -> None:
    """A pair of escapes outside the basic plane is one code point."""
    assert parsed(rb'{"response": "\ud83d\ude00"}').response == "😀"


@pytest.mark.parametrize(
    "sent", [b'{"response": "\xff"}', b'{"response": "\xc3"}', '{"response": "x"}'.encode("utf-16")]
)
def test_bad_utf8_is_refused(sent: bytes) -> None:
    """A body is UTF-8."""
    assert "Not valid JSON" in refusal(sent).detail


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b'"nan"', b'"inf"'])
def test_numbers_are_finite(number: bytes) -> None:
    """No number is stored that a sum could not take."""
    sent = b'{"response": "x", "features": {"a": %s}}' % number
    assert refusal(sent).code == "payload_invalid"


@pytest.mark.parametrize("digits", [400, 5_000])
def test_huge_integers_are_refused(digits: int) -> None:
    """An integer that no double holds is refused, not a failure of the server."""
    sent = b'{"response": "x", "features": {"a": %s}}' % (b"9" * digits)
    assert refusal(sent).code == "payload_invalid"


@pytest.mark.parametrize(
    "sent", [b"", b" ", b"{", b"null", b"5", b'"x"', b"[]", b'[{"response": "x"}]', b"\xef\xbb\xbf{}"]
)
def test_not_an_object_is_refused(sent: bytes) -> None:
    """One submission is one JSON object."""
    assert refusal(sent).code == "payload_invalid"


@pytest.mark.parametrize("depth", [150, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    """A body that is nested without end is refused, not a failure of the server."""
    sent = b'{"response": %s"\\u0000"%s}' % (b"[" * depth, b"]" * depth)
    assert refusal(sent).code == "payload_invalid"


def test_duplicate_context_ids_are_refused() -> None:
    """Evidence names its context by id, so each context has its own."""
    error = refusal(body(contexts=[{"id": "a", "text": "1"}, {"id": "b", "text": "2"}, {"id": "a", "text": "3"}]))
    assert ("'a'" in error.detail, error.field) == (True, "contexts")


def test_contexts_without_ids_are_no_duplicates() -> None:
    """Equal texts without ids are two contexts."""
    assert len(parsed(body(contexts=["Same.", "Same."])).contexts) == 2


@pytest.mark.parametrize(
    ("fields", "limits", "field", "setting"),
    [
        ({"response": "x" * 11}, {"max_response_chars": 10}, "response", "ASSAY_MAX_RESPONSE_CHARS"),
        ({"response": "", "question": "x" * 11}, {"max_response_chars": 10}, "question", "ASSAY_MAX_RESPONSE_CHARS"),
        (
            {"response": "", "samples": ["", "x" * 11]},
            {"max_response_chars": 10},
            "samples.1",
            "ASSAY_MAX_RESPONSE_CHARS",
        ),
        ({"contexts": ["x"] * 3}, {"max_contexts": 2}, "contexts", "ASSAY_MAX_CONTEXTS"),
        ({"contexts": ["", "x" * 11]}, {"max_context_chars": 10}, "contexts.1.text", "ASSAY_MAX_CONTEXT_CHARS"),
        ({"contexts": ["x" * 6] * 2}, {"max_total_context_chars": 11}, "contexts", "ASSAY_MAX_TOTAL_CONTEXT_CHARS"),
    ],
)
def test_too_long_names_field_and_setting(
    fields: dict[str, Any], limits: dict[str, int], field: str, setting: str
) -> None:
    """A text over a limit is refused with the field and the setting that raises the limit; nothing is cut."""
    error = refusal(body(**fields), **limits)
    assert (error.field, setting in error.detail) == (field, True)


def test_limits_count_code_points() -> None:
    """The limit is one of code points, not of bytes; exactly at the limit is accepted."""
    assert parsed(body(response="😀" * 10), max_response_chars=10).response == "😀" * 10


def test_refusal_never_repeats_the_text() -> None:
    """The text of a user does not come back in an error, which may end up in a log."""
    error = refusal(body(id="my secret", tags={"plan": 5}, occurred_at="my secret"))
    assert "my secret" not in f"{error} {error.field}"


def test_refused_names_are_plain_ascii() -> None:
    """A caller's own field name is sent back escaped, so that it can neither break nor dress up the answer."""
    assert refusal(body(**{"k\u202e\n": 1})).field == r"k\u202e\n"
