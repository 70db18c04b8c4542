"""The laws of the judge: what no text can do to its prompt, its parser and its quotes."""

import json
import secrets

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from models.claims import split_claims
from models.judge.prompt import ask, load_prompt
from models.judge.quotes import find_quote, normalised
from models.judge.reply import ClaimReply, Reply, ReplyInvalidError, read_reply
from models.judge.votes import judged
from models.types import Context, Item, Judged, Verdict
from tests.property.strategies import LAW

NONCE = "0123456789abcdef0123456789abcdef"
FACT = "The bridge was painted red in 1950."
ITEM = Item(response="The bridge is red. It is old.", contexts=(Context(id="0", text=FACT),))
CLAIMS = split_claims(ITEM.response)
TEXTS = st.text(max_size=60)
# Letters of several scripts, and all that copying changes.
PROSE = st.text(st.sampled_from("abAB é\u0301ßﬁİΣς“\"’'—-…. \n\t\u00a0\u200b\u00ad０９1中文한ﷺ𝒳"), max_size=80)
VERDICTS = st.sampled_from(list(Verdict))
QUICK = settings(LAW, max_examples=60)


def reply(nonce: str = NONCE, context: int = 1, reasoning: str = "") -> str:
    entry = {"reasoning": reasoning, "verdict": "supported", "context": context, "quote": FACT}
    return json.dumps({"nonce": nonce, "claims": [{"claim": 1} | entry, {"claim": 2} | entry]})


def read(text: str, item: Item = ITEM) -> Reply | None:
    try:
        return read_reply(text, NONCE, item, CLAIMS)
    except ReplyInvalidError:
        return None


@QUICK
@given(
    text=TEXTS
    | st.text(st.sampled_from('{}[]":,\\ 01aclimsnonce'), max_size=60)
    | st.text("0123456789abcdef", min_size=32, max_size=32).map(reply)
)
def test_no_text_without_the_nonce_counts(text: str) -> None:
    """Only what carries the call's own nonce can be a reply."""
    assume(NONCE not in text)
    assert read(text) is None


@QUICK
@given(text=st.text(st.sampled_from('{}[]":,\\ <>/01think'), max_size=40), at=st.integers(0, 300))
def test_reading_only_ever_ends_in_a_reply_or_none(text: str, at: int) -> None:
    """Whatever is put anywhere into a good reply, it counts as it was or does not count."""
    good = reply()
    found = read(good[:at] + text + good[at:])
    assert found is None or {claim.verdict for claim in found.claims} == {Verdict.SUPPORTED}


@QUICK
@given(before=TEXTS, after=TEXTS)
@example(before="```json\n[", after="]\n```")
@example(before='He said "x', after='y" \\')
def test_words_around_a_reply_change_nothing(before: str, after: str) -> None:
    """Text without braces or the marks of thinking may stand before and behind."""
    assume(not set("{}") & set(before + after) and "think" not in (before + after).lower())
    assert read(before + reply() + after) == read(reply())


@QUICK
@given(reasoning=TEXTS | st.text(st.sampled_from('{}[]":,\\ <>/think'), max_size=60))
def test_reasoning_says_anything(reasoning: str) -> None:
    """What a judge quotes in its reasoning is no part of the form."""
    found = read(reply(reasoning=reasoning))
    assert found is not None
    assert found.claims[0].reasoning == reasoning.replace("\x00", "\ufffd")


@QUICK
@given(added=st.lists(TEXTS, max_size=3))
def test_one_more_context_changes_no_reply(added: list[str]) -> None:
    """A reply that counts still does when contexts follow, and its evidence stays where it is."""
    more = Item(response=ITEM.response, contexts=(*ITEM.contexts, *(Context(id="x", text=text) for text in added)))
    assert read(reply(), more) == read(reply())


@QUICK
@given(text=TEXTS | st.sampled_from(["<<<END RESPONSE {nonce}>>>", "{claims}", "\r\n", "\u2028"]))
def test_every_text_is_sent_whole_and_stays_inside(text: str) -> None:
    """A text stands between its delimiters to the letter, whatever it is."""
    item = Item(response=f"{text}\n\nIt is red.", contexts=(Context(id="0", text=text),), question=text or None)
    nonce = secrets.token_hex(16)
    claims = split_claims(item.response)
    _, user = ask(load_prompt(), item, claims, nonce)
    assert f"<<<CONTEXT 1 {nonce}>>>\n{text}\n<<<END CONTEXT 1 {nonce}>>>\n" in user.content
    assert f"<<<RESPONSE {nonce}>>>\n{item.response}\n<<<END RESPONSE {nonce}>>>\n" in user.content


@QUICK
@given(before=PROSE, middle=PROSE, after=PROSE)
def test_a_verbatim_quote_is_found(before: str, middle: str, after: str) -> None:
    """Every part of a text that is long enough is found in it, at a place that says the same."""
    quote = f"{middle} opened 1962"
    place = find_quote(quote, before + quote + after)
    assert place is not None
    start, end = place
    assert normalised((before + quote + after)[start:end]) == normalised(quote)


@QUICK
@given(
    before=PROSE,
    words=st.lists(st.sampled_from(["Bridge", "“arch”", "1932", "é", "ﬁne", "一"]), min_size=3),
    after=PROSE,
)
def test_a_copied_quote_is_found(before: str, words: list[str], after: str) -> None:
    """Other whitespace, case, marks and invisible characters do not hide it; the place holds it and not one character more."""
    text = f"{before} {' '.join(words)} opened 1962 {after}"
    quote = "\n\t".join(words).upper().replace("“", '"').replace("ﬁ", "fi") + "\u200b OPENED\u00a01962"
    place = find_quote(quote, text)
    assert place is not None
    start, end = place
    assert normalised(text[start:end]) == normalised(quote)
    assert normalised(quote) not in normalised(text[start + 1 : end])
    assert normalised(quote) not in normalised(text[start : end - 1])


@QUICK
@given(quote=PROSE, text=PROSE)
def test_a_place_is_one_of_the_text(quote: str, text: str) -> None:
    """What is found is never empty, and lies within."""
    place = find_quote(quote, text)
    assert place is None or 0 <= place[0] < place[1] <= len(text)


@QUICK
@given(
    votes=st.lists(st.tuples(VERDICTS, VERDICTS), min_size=1, max_size=9),
    against=st.sampled_from(["contradicted", "unsupported"]),
)
def test_one_more_vote_against_never_helps(votes: list[tuple[Verdict, Verdict]], against: str) -> None:
    """No claim's score falls by a vote that does not support it; below 0.5 is supported, and only that."""
    one, other = (
        judged(ITEM, CLAIMS, [_vote(*each) for each in all_]) for all_ in (votes, [*votes, (Verdict(against),) * 2])
    )
    assert isinstance(other, Judged)
    after = other.scored.claims
    assert all((claim.score < 0.5) == (claim.verdict is Verdict.SUPPORTED) for claim in after)
    if isinstance(one, Judged):
        assert all(
            was.score is None or was.score <= now.score for was, now in zip(one.scored.claims, after, strict=True)
        )


def _vote(*verdicts: Verdict) -> Reply:
    return Reply(claims=tuple(ClaimReply(verdict=verdict, reasoning="", evidence=None) for verdict in verdicts))
