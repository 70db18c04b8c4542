"""The laws of scoring with the bundled model, over the demo's documents and claims: what text may do to a verdict."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.limits import Limits
from models.load import Model, ScorerConfig, load_model, load_scorer
from models.pairs import Plan, Planner
from models.types import (
    ClaimResult,
    EncodedPair,
    Item,
    NotApplicable,
    NotApplicableReason,
    Outcome,
    Scored,
    Scorer,
    Unscored,
    UnscoredReason,
    Verdict,
)
from workers.bench.attacks import ATTACKS
from workers.bench.corpus import sentences_of
from workers.bench.transformations import PARAGRAPH, TRANSFORMATIONS, Kind, transform, with_contexts
from workers.demo import TRAFFIC

SECONDS = 30  # in which anything returns, on a machine that others use too
REMEMBERED = 50_000  # pairs: examples share their documents
LAW = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
ADDED = [each for each in TRANSFORMATIONS if each.kind is Kind.ADDED]
SEEDS = st.integers(0, 2**32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """One domain of the demo: documents, and responses with the documents that they were given."""

    documents: tuple[str, ...]
    items: tuple[Item, ...]
    supported: tuple[Item, ...]  # of one claim each, labelled as supported


@cache
def domains() -> tuple[Domain, ...]:
    return tuple(read(json.loads(file.read_text(encoding="utf-8"))) for file in sorted(TRAFFIC.glob("*.json")))


def read(content: dict) -> Domain:
    documents = {document["id"]: document["text"] for document in content["documents"]}
    items, supported = [], []
    for pair in content["pairs"]:
        texts = [documents[name] for name in pair["documents"]]
        items.append(make(" ".join(claim["text"] for claim in pair["claims"]), *texts))
        supported += [make(claim["text"], *texts) for claim in pair["claims"] if claim["truth"] == "supported"]
    return Domain(documents=tuple(documents.values()), items=tuple(items), supported=tuple(supported))


def make(response: str, *texts: str) -> Item:
    return with_contexts(Item(response=response, contexts=()), texts)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Item, list[str], Random]:
    """A response with its contexts, two documents of other domains, and a draw."""
    home = draw(st.sampled_from(domains()))
    random = Random(draw(SEEDS))
    foreign = [document for domain in domains() if domain is not home for document in domain.documents]
    return random.choice(home.items), random.sample(foreign, 2), random


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(ScorerConfig(threads=1))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return load_scorer(ScorerConfig(threads=2, cache=REMEMBERED))


@pytest.fixture(scope="module")
def balanced() -> Scorer:
    return load_scorer(ScorerConfig(threads=2, cache=REMEMBERED, threshold="balanced"))


def score(scorer: Scorer, *items: Item) -> list[Outcome]:
    outcomes = scorer.score(items, lambda: None)
    for item, outcome in zip(items, outcomes, strict=True):
        quotes_to_the_letter(item, outcome)
    return outcomes


def quotes_to_the_letter(item: Item, outcome: Outcome) -> None:
    if not isinstance(outcome, Scored):
        assert isinstance(outcome, Unscored | NotApplicable)
        return
    for claim in outcome.claims:
        assert claim.text == item.response[claim.start : claim.end]
        assert (claim.score is None) == (claim.verdict is Verdict.NOT_CHECKABLE)
        assert (claim.evidence is None) == (claim.probability is None)
        if claim.evidence is not None:
            context = item.contexts[claim.evidence.context_index]
            assert (context.id, context.text[claim.evidence.start : claim.evidence.end]) == (
                claim.evidence.context_id,
                claim.evidence.text,
            )


def pairs_of(before: Outcome, after: Outcome) -> Iterator[tuple[ClaimResult, ClaimResult]]:
    """The checked claims of a response before and after."""
    assert isinstance(before, Scored)
    assert isinstance(after, Scored)
    for one, other in zip(before.claims, after.claims, strict=True):
        if one.score is not None:
            yield one, other


@pytest.mark.parametrize("transformation", ADDED, ids=lambda each: each.name)
@settings(LAW, max_examples=10)
@given(case=cases())
def test_text_beside_a_context_raises_no_score(scorer: Scorer, transformation, case) -> None:
    """Appending, prepending, merging, shuffling and duplicating raise no claim's score, whatever is added."""
    item, foreign, random = case
    changed = transform(item, transformation, foreign, random)
    assert changed is not None
    before, after = score(scorer, item, changed)
    assert [one.text for one, other in pairs_of(before, after) if other.score > one.score] == []
    assert after.score <= before.score


@LAW
@given(case=cases())
def test_a_split_at_a_paragraph_loses_nothing_that_one_half_says(scorer: Scorer, case) -> None:
    """A context in two: a supported claim whose evidence lies in one half keeps its score or a better one."""
    item, _, random = case
    index = random.randrange(len(item.contexts))
    text = item.contexts[index].text
    cuts = [at for at in range(len(text)) if text.startswith(PARAGRAPH, at)]
    if not cuts:
        return
    cut = random.choice(cuts)
    texts = [context.text for context in item.contexts]
    before, after = score(
        scorer, item, make(item.response, *texts[:index], text[:cut], text[cut:], *texts[index + 1 :])
    )
    for one, other in pairs_of(before, after):
        crossed = one.evidence.context_index == index and one.evidence.start < cut < one.evidence.end
        if one.verdict is Verdict.SUPPORTED and not crossed:
            assert other.score <= one.score


@settings(LAW, max_examples=10)
@given(case=cases())
def test_the_response_as_a_passage_supports_itself(scorer: Scorer, case) -> None:
    """A passage that says what the response says raises no score, and every claim is supported by it."""
    item, foreign, _ = case
    for contexts in ([context.text for context in item.contexts], foreign):
        plain = with_contexts(item, contexts)
        before, after = score(scorer, plain, with_contexts(item, [*contexts, item.response]))
        for one, other in pairs_of(before, after):
            assert other.score <= one.score
            assert other.verdict is Verdict.SUPPORTED


@settings(LAW, max_examples=6)
@given(seed=SEEDS)
def test_company_changes_no_probability(model: Model, seed: int) -> None:
    """A pair's probabilities are the same to the bit alone, in a batch, and among others; by two threads, to 1e-5."""
    random = Random(seed)
    pairs = [some_pair(model, random) for _ in range(40)]
    order = random.sample(range(len(pairs)), len(pairs))
    together = model.backend.predict(pairs, lambda: None)
    assert [model.backend.predict([pair], lambda: None)[0] for pair in pairs] == together
    assert model.backend.predict([pairs[at] for at in order], lambda: None) == [together[at] for at in order]
    assert model.backend.predict(pairs[::3], lambda: None) == together[::3]
    for one, other in zip(together, two_threads().backend.predict(pairs, lambda: None), strict=True):
        assert (one.entailment, one.neutral, one.contradiction) == pytest.approx(
            (other.entailment, other.neutral, other.contradiction), abs=1e-5
        )


@cache
def two_threads() -> Model:
    return load_model(ScorerConfig(threads=2))


def some_pair(model: Model, random: Random) -> EncodedPair:
    item = random.choice(random.choice(domains()).items)
    plan = Planner(encoder=model.encoder, limits=Limits()).plan(item)
    assert isinstance(plan, Plan)
    claim = random.choice([claim for claim in plan.claims if claim.readings])
    return model.encoder.join(random.choice(claim.readings).ids, claim.ids)


@pytest.fixture(scope="module")
def exhaustive() -> Scorer:
    return load_scorer(ScorerConfig(threads=2, cache=REMEMBERED, exhaustive=True))


@settings(LAW, max_examples=8)
@given(case=cases())
def test_the_early_end_changes_nothing(scorer: Scorer, exhaustive: Scorer, case) -> None:
    """Reading up to the first window that is accepted gives what reading all gives: verdicts, scores and evidence."""
    item, foreign, _ = case
    item = with_contexts(item, [*foreign, *(context.text for context in item.contexts)])
    (early,), (whole,) = score(scorer, item), score(exhaustive, item)
    assert isinstance(early, Scored)
    assert isinstance(whole, Scored)
    assert early.pairs <= whole.pairs
    assert replace(early, pairs=0) == replace(whole, pairs=0)


@settings(LAW, max_examples=10)
@given(seed=SEEDS, mark=st.sampled_from([PARAGRAPH, "\n", " "]))
def test_the_last_sentence_of_a_long_context_is_found(scorer: Scorer, seed: int, mark: str) -> None:
    """The sentence that supports a claim does so after 10,000 words, and is quoted unless one of those does as well."""
    random = Random(seed)
    home = random.choice(domains())
    claim = random.choice([item for item in home.supported if evidence_of(scorer, item)])
    sentence = evidence_of(scorer, claim)
    others = [each for domain in domains() if domain is not home for each in domain.documents]
    taken = random.sample(others, len(others))
    while count_words(PARAGRAPH.join(taken[1:])) >= 10_000:
        del taken[0]
    text = PARAGRAPH.join(taken)
    (found,) = score(scorer, make(claim.response, text + mark + sentence))
    assert isinstance(found, Scored)
    (result,) = found.claims
    assert result.verdict is Verdict.SUPPORTED
    if result.evidence.end < len(text):  # then it needs no last sentence
        (without,) = score(scorer, make(claim.response, text))
        assert isinstance(without, Scored)
        assert without.claims[0].verdict is Verdict.SUPPORTED
    else:
        assert result.evidence.end == len(text + mark + sentence)
        assert result.evidence.text.endswith(sentence)


def count_words(text: str) -> int:
    return len(text.split())


@cache
def evidence_of(scorer: Scorer, item: Item) -> str:
    """The evidence of a supported claim; empty for others and where several sentences support it only together."""
    (outcome,) = score(scorer, item)
    if not isinstance(outcome, Scored) or [claim.verdict for claim in outcome.claims] != [Verdict.SUPPORTED]:
        return ""
    text = outcome.claims[0].evidence.text
    return text if sentences_of(text) == [text] else ""


MADE_UP = (
    "The moon landing was filmed by nine penguins in Brazil.",
    "All volcanoes on the island were painted green by order of the emperor in 1703.",
    "Mozart wrote the opera for a choir of forty dolphins.",
    "The volcano swallowed a submarine and two violins.",
)


@settings(LAW, max_examples=6)
@given(seed=SEEDS, made_up=st.sampled_from(MADE_UP))
def test_a_made_up_last_sentence_of_a_long_response_is_found(balanced: Scorer, seed: int, made_up: str) -> None:
    """After 2,000 words out of the contexts, what they do not say is flagged at the balanced point, and nothing else."""
    texts = [text for domain in Random(seed).sample(domains(), 2) for text in domain.documents]
    copied = PARAGRAPH.join(" ".join(sentences_of(text)) for text in texts)
    assert count_words(copied) > 2_000
    honest, found = score(balanced, make(copied, *texts), make(f"{copied} {made_up}", *texts))
    assert isinstance(honest, Scored)
    assert isinstance(found, Scored)
    assert (honest.flagged, found.flagged) == (False, True)
    flagged = [claim for claim in found.claims if claim.score is not None and claim.score >= found.threshold]
    assert [claim is found.claims[-1] and claim.text.endswith(made_up) for claim in flagged] == [True]


@LAW
@given(case=cases(), attack=st.sampled_from(ATTACKS), mark=st.sampled_from([" ", "\n", PARAGRAPH]))
def test_instructions_in_a_response_change_no_other_claim(scorer: Scorer, case, attack: str, mark: str) -> None:
    """A response that tells the reader what to answer: its other claims come out as without."""
    item, _, _ = case
    before, after = score(scorer, item, replace(item, response=item.response + mark + attack))
    assert isinstance(before, Scored)
    assert isinstance(after, Scored)
    assert after.claims[: len(before.claims)] == before.claims


@LAW
@given(case=cases(), attack=st.sampled_from(ATTACKS))
def test_instructions_in_a_context_take_no_support_away(scorer: Scorer, case, attack: str) -> None:
    """A context that tells the reader what to answer raises no score and makes no supported claim another."""
    item, _, _ = case
    before, after = score(scorer, item, with_contexts(item, [*(each.text for each in item.contexts), attack]))
    for one, other in pairs_of(before, after):
        assert other.score <= one.score
        assert one.verdict is not Verdict.SUPPORTED or other.verdict is Verdict.SUPPORTED


ODD = st.sampled_from(
    [
        *map(
            chr,
            (0, 1, 7, 8, 0x0B, 0x0C, 0x1B, 0x7F, 0x85, 0xAD, 0x200B, 0x200F, 0x2028, 0x202E, 0x2066, 0xFEFF, 0xFFFD),
        ),
        "\r",
        "\r\n",
        "😀",
        "👩‍👩‍👧‍👦",
        "e\u0301",
        "𝒳",
        "مرحبا بالعالم",
        "שלום עולם.",
        "[SEP]",
        "[CLS]",
        "[MASK]",
        "```",
        '"',
    ]
)


@settings(LAW, max_examples=25)
@given(case=cases(), odd=st.lists(ODD, min_size=1, max_size=8))
def test_odd_characters_anywhere_leave_offsets_right(scorer: Scorer, case, odd: list[str]) -> None:
    """Control characters, emoji and right-to-left text among the words: an outcome, and quotations to the letter."""
    item, _, random = case
    texts = [sprinkle(text, odd, random) for text in (item.response, *(context.text for context in item.contexts))]
    score(scorer, make(*texts))


def sprinkle(text: str, pieces: list[str], random: Random) -> str:
    for piece in pieces:
        at = random.randrange(len(text) + 1)
        text = text[:at] + piece + text[at:]
    return text


PREMISE = "France's capital city is Paris. Lyon is another city in France."
CLAIM = "Paris is the capital of France."
WORD = "word " * 200_000
ONE_WORD = "x" * 1_000_000
NOTHING_TO_CHECK = NotApplicable(reason=NotApplicableReason.NO_CLAIMS)
OTHER_LANGUAGE = Unscored(reason=UnscoredReason.LANGUAGE)
TOO_LONG = Unscored(reason=UnscoredReason.CLAIM_TOO_LONG)
ARABIC = "باريس هي عاصمة فرنسا وهي مدينة كبيرة تقع على نهر السين."
HEBREW = "פריז היא בירת צרפת והיא עיר גדולה על גדות נהר הסן."
# What each of these comes to, as the response beside PREMISE.
RESPONSES = {
    "a word a million times": (WORD, TOO_LONG),
    "one word of a megabyte": (ONE_WORD, OTHER_LANGUAGE),
    "emoji": ("😀" * 1_000, NOTHING_TO_CHECK),
    "control characters": ("\x00\x01\x02\x1b\x7f\u200b\u202e", NOTHING_TO_CHECK),
    "Arabic": (ARABIC, OTHER_LANGUAGE),
    "Hebrew": (HEBREW, OTHER_LANGUAGE),
}


@pytest.mark.timed
@pytest.mark.parametrize("name", RESPONSES)
def test_an_odd_response_has_a_clear_outcome(scorer: Scorer, name: str) -> None:
    """A response that cannot be checked is said to be so, within seconds."""
    response, expected = RESPONSES[name]
    begun = time.monotonic()
    assert score(scorer, make(response, PREMISE)) == [expected]
    assert time.monotonic() - begun < SECONDS


CONTEXTS = {
    "a word a million times": WORD,
    "one word of a megabyte": ONE_WORD,
    "emoji": "😀" * 1_000,
    "control characters": "\x00\x01\x02\x1b[31m\x7f" * 1_000,
    "Arabic": ARABIC,
    "Hebrew": HEBREW,
}


@pytest.mark.timed
@pytest.mark.parametrize("name", CONTEXTS)
def test_an_odd_context_hides_nothing(scorer: Scorer, name: str) -> None:
    """A context that says nothing, before or in front of one that supports the claim, changes nothing."""
    begun = time.monotonic()
    odd = CONTEXTS[name]
    (plain,) = score(scorer, make(CLAIM, PREMISE))
    assert isinstance(plain, Scored)
    assert plain.claims[0].verdict is Verdict.SUPPORTED
    for outcome in score(scorer, make(CLAIM, odd, PREMISE), make(CLAIM, odd + PARAGRAPH + PREMISE)):
        assert isinstance(outcome, Scored)
        assert outcome.score <= plain.score
        assert outcome.claims[0].evidence.text in {PREMISE, PREMISE.partition(" Lyon")[0]}
    assert time.monotonic() - begun < SECONDS


@pytest.mark.timed
@pytest.mark.parametrize("name", CONTEXTS)
def test_an_odd_context_supports_nothing(scorer: Scorer, name: str) -> None:
    """Beside such a context alone, a claim is not supported: it has no context, or one that does not say it."""
    begun = time.monotonic()
    (outcome,) = score(scorer, make(CLAIM, CONTEXTS[name]))
    supported = isinstance(outcome, Scored) and outcome.claims[0].verdict is Verdict.SUPPORTED
    assert (supported, time.monotonic() - begun < SECONDS) == (False, True)
