"""The laws of redaction, on text made of values, near misses and anything at all."""

import re

from hypothesis import given
from hypothesis import strategies as st

from service.core.privacy import ShippedRule
from service.redaction import Redactor
from tests.unit.service.redaction_cases import NEGATIVES, POSITIVES

REDACTOR = Redactor(list(ShippedRule), [])
PLACEHOLDER = re.compile(r"\[(?:KEY|EMAIL|IBAN|CARD|IPV4|SSN|PHONE)_[1-9][0-9]{0,6}\]")
LONGEST = len("[EMAIL_1234567]")

TYPESET = {" ": " \u00a0\u2009\u202f", "-": "-\u2010\u2011\u2013"}
NUMBERS = ("phone", "card", "iban", "ssn")

values = st.sampled_from([value for values in POSITIVES.values() for value in values])
pieces = st.one_of(
    values,
    st.sampled_from(NEGATIVES),
    st.sampled_from(["[EMAIL_1]", "[CARD_3]", "-----BEGIN PRIVATE KEY-----", "@", "+", "00", " ", "-", ".", "\n", "é"]),
    st.sampled_from(["_", ",", "\\n", "\\", "\u00a0", "\u2011", "\u2013", "\u0301", "'", "\n> "]),
    st.text(max_size=8),
    st.text("0123456789 -.+@()/abDE[]_", max_size=30),
)
texts = st.lists(pieces, max_size=8).map("".join)


@given(st.lists(texts, max_size=4))
def test_twice_is_once(given_texts: list[str]) -> None:
    """What was redacted is redacted: a second time changes nothing."""
    once = REDACTOR.redact(given_texts).texts
    assert REDACTOR.redact(once).texts == once


@given(texts)
def test_only_placeholders_are_new(text: str) -> None:
    """What is left of the text between the placeholders stood in it, in the same order."""
    rest = PLACEHOLDER.split(REDACTOR.redact([text]).texts[0])
    place = 0
    for part in rest:
        place = text.index(part, place) + len(part)


@given(st.lists(texts, max_size=4))
def test_it_grows_by_placeholders_only(given_texts: list[str]) -> None:
    """No text grows by more than the longest placeholder for each place that was replaced."""
    done = REDACTOR.redact(given_texts)
    before, after = sum(map(len, given_texts)), sum(map(len, done.texts))
    assert after <= before + LONGEST * sum(done.counts.values())


@given(st.lists(texts, max_size=4))
def test_without_a_match_nothing_changes(given_texts: list[str]) -> None:
    """No count, no change; and a change is counted."""
    done = REDACTOR.redact(given_texts)
    assert (done.texts == tuple(given_texts)) is (not done.counts)


@given(st.sampled_from([value for rule in NUMBERS for value in POSITIVES[rule]]), texts, st.data())
def test_typography_does_not_matter(value: str, before: str, data: st.DataObject) -> None:
    """Other spaces and hyphens in a number make it no other number, and move no offset, whatever stands before."""
    typeset = "".join(data.draw(st.sampled_from(TYPESET.get(c, c))) for c in value)
    plain, other = (REDACTOR.redact([f"{before}\n\nIt is {one}."]).texts[0] for one in (value, typeset))
    assert plain == other
    assert other.endswith("].")


@given(st.lists(values, min_size=1, max_size=6), st.lists(values, max_size=6))
def test_same_value_same_placeholder(first: list[str], second: list[str]) -> None:
    """Two texts of one submission name a value alike, and two values differently."""
    sent = [*first, *second]
    done = REDACTOR.redact([f"It is {value}." for value in sent]).texts
    for value, text in zip(sent, done, strict=True):
        for other, other_text in zip(sent, done, strict=True):
            same = re.sub(r"[^a-z0-9]", "", value.lower()) == re.sub(r"[^a-z0-9]", "", other.lower())
            assert (text == other_text) is same
