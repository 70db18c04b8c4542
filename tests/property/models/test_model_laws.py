"""The laws of claims, windows, batches, softmax and verdicts, each for whatever input."""

import math
import time
from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.aggregate import judge_claim
from models.batching import make_batches, padded_length
from models.calibrate import Calibration
from models.claims import split_claims
from models.limits import Limits
from models.pairs import Plan, Planner
from models.sentences import split_sentences
from models.softmax import softmax
from models.types import Context, Item, Probability, Scored, Verdict
from models.windows import cut_sentences, read_source
from tests.unit.models.support import HashBackend, WordBackend, WordEncoder, word_scorer

# Prose-like text out of pieces that have broken splitters: marks, line ends, astral and combining characters.
PIECES = st.sampled_from(
    [
        "Aa",
        "bb",
        "1.",
        "2)",
        "-",
        "*",
        ".",
        ". ",
        "? ",
        "!",
        "\n",
        "\r\n",
        "\r",
        "\u2028",
        " ",
        "  ",
        "😀",
        "𝒳",
        "é",
        "Dr. ",
        "3.5",
        '"',
        ")",
        "**",
        "[1]",
        "你好。",
        "#",
        "```",
        ":",
        "I cannot answer",
        "but ",
        "\x00",
        "\u200b",
        "ß",
        "",
    ]
)
# A shared machine may stall in the middle of any example.
LAW = settings(deadline=None)

TEXTS = st.one_of(st.lists(PIECES, max_size=60).map("".join), st.text(max_size=80))
SHARES = st.floats(0, 1)
CALIBRATIONS = st.builds(
    Calibration,
    slope=st.floats(0.1, 5),
    intercept=st.floats(-5, 5),
    strict=st.floats(0.5, 1),
    against=st.floats(0, 1),
)
PROBABILITIES = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 1)).map(
    lambda weights: Probability(
        entailment=weights[0] / sum(weights),
        neutral=weights[1] / sum(weights),
        contradiction=weights[2] / sum(weights),
    )
)


@LAW
@given(TEXTS)
def test_sentences_partition_the_text(text: str) -> None:
    """Sentences lie end to end and together are the whole text."""
    spans = split_sentences(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(before[1] == after[0] for before, after in pairwise(spans))


@LAW
@given(TEXTS)
def test_claim_spans_round_trip(response: str) -> None:
    """response[start:end] is the claim; claims are in order, apart, and never blank."""
    claims = split_claims(response)
    assert all(response[claim.start : claim.end] == claim.text and claim.text.strip() for claim in claims)
    assert all(before.end <= after.start for before, after in pairwise(claims))


@LAW
@given(TEXTS, st.integers(1, 40))
@example("```\n1.", 3)  # a word that cannot be divided ended a piece where the one before did
def test_windows_cover_and_fit(text: str, budget: int) -> None:
    """Sentences fit the budget, cover every code point and token, advance, and none holds only what the last one had."""
    encoded = WordEncoder().encode(text)
    windows = cut_sentences(read_source(text, encoded), budget)
    assert bool(windows) == bool(encoded.ids)
    assert all(0 < window.last - window.first <= budget for window in windows)
    if windows:
        assert (windows[0].start, windows[0].first) == (0, 0)
        assert (windows[-1].end, windows[-1].last) == (len(text), len(encoded.ids))
    for before, after in pairwise(windows):
        assert before.first < after.first <= before.last < after.last
        assert before.start < after.start <= before.end < after.end


@LAW
@given(TEXTS, TEXTS, TEXTS)
def test_added_text_takes_no_window_away(context: str, more: str, response: str) -> None:
    """All that a claim could be supported by is still read when text comes before, after or beside the context."""

    def read(*contexts: str) -> list[set[bytes]]:
        planner = Planner(encoder=WordEncoder(), limits=Limits(window=20, least_window=4, max_length=64))
        given_contexts = tuple(Context(id="", text=text) for text in contexts)
        plan = planner.plan(Item(response=response, contexts=given_contexts))
        return [{reading.ids for reading in claim.readings} for claim in plan.claims] if isinstance(plan, Plan) else []

    alone = read(context)
    for changed in (
        read(f"{context}\n\n{more}"),
        read(f"{more}\n\n{context}"),
        read(more, context),
        read(context, more),
    ):
        assert all(before <= after for before, after in zip(alone, changed, strict=bool(alone)))


SHOPS = st.lists(
    st.sampled_from(
        ["The shop opens at nine.", "It closes at five.", "Kettles cost ten euros.", "Rain fell.", "Nine."]
    ),
    min_size=1,
    max_size=8,
).map(" ".join)


@LAW
@given(st.lists(TEXTS | SHOPS, min_size=1, max_size=4), TEXTS | SHOPS, st.sampled_from([WordBackend, HashBackend]))
def test_early_end_is_the_exhaustive_scan(contexts: list[str], response: str, backend: type[WordBackend]) -> None:
    """Ending a claim at the first accepted window gives score, verdict and evidence of reading every window."""
    item = Item(
        response=response, contexts=tuple(Context(id=str(index), text=text) for index, text in enumerate(contexts))
    )
    short, full = (
        word_scorer(backend(), exhaustive=exhaustive).score([item], lambda: None)[0] for exhaustive in (False, True)
    )
    if isinstance(full, Scored):
        assert isinstance(short, Scored)
        assert (short.score, short.claims) == (full.score, full.claims)
        assert short.pairs <= full.pairs
    else:
        assert short == full


@LAW
@given(st.lists(st.integers(1, 512), max_size=60), st.integers(1, 4096))
def test_batches_hold_each_pair_once(lengths: list[int], budget: int) -> None:
    """Each pair is in one batch, padded as it alone would be, and no batch of several is over budget."""
    batches = make_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch.indices) == list(range(len(lengths)))
    spread = make_batches(lengths, budget, lanes=4)
    assert sorted(index for batch in spread for index in batch.indices) == list(range(len(lengths)))
    for batch in [*batches, *spread]:
        assert {padded_length(lengths[index]) for index in batch.indices} == {batch.padded_length}
        assert len(batch.indices) == 1 or len(batch.indices) * batch.padded_length <= budget


@LAW
@given(st.lists(st.integers(1, 512), max_size=30), st.randoms(), st.integers(1, 4096))
def test_padding_does_not_depend_on_order(lengths: list[int], random: Random, budget: int) -> None:
    """In whatever order pairs come, each is padded to the same length."""
    shuffled = lengths.copy()
    random.shuffle(shuffled)

    def padded(given_lengths: list[int]) -> list[tuple[int, int]]:
        batches = make_batches(given_lengths, budget)
        return sorted((given_lengths[index], batch.padded_length) for batch in batches for index in batch.indices)

    assert padded(lengths) == padded(shuffled)


@LAW
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=5))
def test_softmax_is_a_distribution(logits: list[float]) -> None:
    """Any finite logits give probabilities that sum to 1 and keep the logits' order."""
    probabilities = softmax(logits)
    assert math.isclose(1.0, sum(probabilities))
    assert probabilities[logits.index(max(logits))] == max(probabilities)


@LAW
@given(st.lists(PROBABILITIES, min_size=1, max_size=6), PROBABILITIES, CALIBRATIONS)
def test_one_more_window_never_raises_the_score(
    windows: list[Probability], more: Probability, calibration: Calibration
) -> None:
    """However a window reads, adding it cannot make a claim worse, and cannot take support away."""
    before, after = (judge_claim(read, [True] * len(read), calibration) for read in (windows, [*windows, more]))
    assert after.score <= before.score
    assert before.verdict is not Verdict.SUPPORTED or after.verdict is Verdict.SUPPORTED


@LAW
@given(st.lists(PROBABILITIES, min_size=1, max_size=6), CALIBRATIONS)
def test_supported_exactly_below_the_balanced_point(windows: list[Probability], calibration: Calibration) -> None:
    """The verdict and the score agree, so that a supported claim is flagged by no named threshold."""
    judgement = judge_claim(windows, [True] * len(windows), calibration)
    assert (judgement.verdict is Verdict.SUPPORTED) == (judgement.score < 0.5)
    assert 0 <= judgement.score <= 1


@LAW
@given(SHARES, SHARES, SHARES, CALIBRATIONS)
def test_support_is_entailment_and_more(one: float, other: float, share: float, calibration: Calibration) -> None:
    """It is never below entailment, rises with it, and falls as more of what is left is contradiction."""

    def read(entailment: float, part: float) -> Probability:
        left = 1 - entailment
        return Probability(entailment=entailment, neutral=left * (1 - part), contradiction=left * part)

    low, high = sorted((one, other))
    assert low <= calibration.support(read(low, share)) <= calibration.support(read(high, share)) <= 1
    assert calibration.support(read(share, high)) <= calibration.support(read(share, low))
    alone = Probability(entailment=one, neutral=None, contradiction=None)
    assert calibration.support(alone) == one


@LAW
@given(SHARES, SHARES, CALIBRATIONS)
def test_score_falls_as_entailment_rises(one: float, other: float, calibration: Calibration) -> None:
    """The calibration is monotone."""
    low, high = sorted((one, other))
    assert calibration.score(high) <= calibration.score(low)


@LAW
@given(st.lists(TEXTS, min_size=1, max_size=3), TEXTS, TEXTS)
def test_one_more_context_never_raises_a_response(contexts: list[str], more: str, response: str) -> None:
    """A context more leaves a scored response scored, and no worse."""
    scorer = word_scorer()

    def score(texts: list[str]) -> object:
        given_contexts = tuple(Context(id=str(index), text=text) for index, text in enumerate(texts))
        return scorer.score([Item(response=response, contexts=given_contexts)], lambda: None)[0]

    before, after = score(contexts), score([*contexts, more])
    if isinstance(before, Scored):
        assert isinstance(after, Scored)
        assert after.score <= before.score


@LAW
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_items_do_not_touch_each_other(texts: list[tuple[str, str]]) -> None:
    """An item's outcome is the same alone and in any company; evidence and claims are spans of what was given."""
    items = [Item(response=response, contexts=(Context(id="0", text=text),)) for response, text in texts]
    together = word_scorer().score(items, lambda: None)
    assert together == [word_scorer().score([item], lambda: None)[0] for item in items]
    for item, outcome in zip(items, together, strict=True):
        for claim in outcome.claims if isinstance(outcome, Scored) else ():
            assert item.response[claim.start : claim.end] == claim.text
            if claim.evidence is not None:
                evidence = claim.evidence
                assert item.contexts[evidence.context_index].text[evidence.start : evidence.end] == evidence.text


@pytest.mark.timed
@pytest.mark.parametrize("text", ["x" * 1_000_000, "a " * 500_000, "a\n" * 500_000, "." * 1_000_000, "1. " * 333_333])
def test_a_million_characters_take_seconds(text: str) -> None:
    """Splitting and windowing are linear in the text, whatever it is made of."""
    begun = time.monotonic()
    cut_sentences(read_source(text, WordEncoder().encode(text)), 128)
    assert time.monotonic() - begun < 30
