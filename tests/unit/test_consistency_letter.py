"""What is the same to the letter is not read; what only holds the same words is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from models.tokens import unpack
from models.types import Alternative, Consistent, EncodedPair, Item, Probability, Scorer, Verdict
from tests.unit.models.support import SEPARATOR, HashBackend, WordBackend, WordEncoder, word_scorer


@dataclass
class Unsure(WordBackend):
    """Answers each pair alike."""

    answer: tuple[float, float | None, float | None] = (0.1, 0.2, 0.7)

    def _one(self, pair: EncodedPair) -> Probability:
        del pair
        entailment, neutral, contradiction = self.answer
        return Probability(entailment=entailment, neutral=neutral, contradiction=contradiction)


@dataclass
class Poles(WordBackend):
    """Says that a window with `yes` entails, and any other contradicts, a little more than not."""

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        progress()
        return [self._pole(pair) for pair in pairs]

    def _pole(self, pair: EncodedPair) -> Probability:
        ids = list(unpack(pair.input_ids))
        window = ids[1 : ids.index(SEPARATOR)]
        if WordEncoder().id("yes") in window:
            return Probability(entailment=0.5, neutral=0.1, contradiction=0.4)
        if WordEncoder().id("vague") in window:
            return Probability(entailment=0.05, neutral=0.6, contradiction=0.35)
        return Probability(entailment=0.1, neutral=0.1, contradiction=0.8)


def compared(scorer: Scorer, response: str, *alternatives: str, question: str | None = None) -> Consistent:
    samples = tuple(Alternative(text=text) for text in alternatives)
    [assessed] = scorer.assess([Item(response=response, contexts=(), question=question, samples=samples)], lambda: None)
    assert isinstance(assessed.consistency, Consistent)
    return assessed.consistency


@pytest.mark.parametrize(
    "alternative", ["It is not true that the shop is open.", "Nobody knows whether the shop is open."]
)
def test_a_claim_within_a_longer_sentence_is_read(alternative: str) -> None:
    """The sentence may deny it: what a model says of it counts."""
    found = compared(word_scorer(Unsure()), "The shop is open.", alternative)
    assert found.scored.score == pytest.approx(0.7 / 0.8)


@pytest.mark.parametrize(
    "alternative", ["Come in. THE  shop is open. Have tea.", "**The shop is open.** Have tea.", "the shop is open."]
)
def test_a_claim_that_is_a_sentence_of_an_alternative_is_agreed_with(alternative: str) -> None:
    """But for case, spaces and markup."""
    assert compared(word_scorer(Unsure()), "The shop is open.", alternative).scored.score == 0.0


def test_the_response_in_small_letters_agrees_with_all_of_it() -> None:
    """Where its sentences end does not matter, which splitters tell by capitals."""
    backend = HashBackend()
    found = compared(
        word_scorer(backend), "The shop is open. Ben is in. Tea is hot.", "the shop is open. ben is in. tea is hot."
    )
    assert (found.scored.score, found.entropy, found.pairs, backend.calls) == (0.0, 0.0, 0, [])


def test_pairs_are_those_that_were_read() -> None:
    """Each once, however many alternatives or claims ask for it."""
    backend = HashBackend()
    found = compared(word_scorer(backend), "The shop is open.", *["The shop is shut."] * 5)
    read = [pair.input_ids for call in backend.calls for pair in call]
    assert found.pairs == found.scored.pairs == len(read) == len(set(read)) == 2


def test_the_window_that_decides_gives_the_verdict() -> None:
    """An alternative that entails a claim contradicts it nowhere: what is left says neither."""
    response = "The shop is open."
    mixed = "The yes shop is open. The shop is open no more."
    found = compared(word_scorer(Poles()), response, mixed, "The vague shop is open.")
    assert found.scored.score == pytest.approx((0.4 / 0.9 + 0.35 / 0.4) / 2)
    assert found.scored.claims[0].verdict is Verdict.UNSUPPORTED
    assert compared(word_scorer(Poles()), response, "The shop is open no more.").scored.claims[0].verdict is (
        Verdict.CONTRADICTED
    )


def test_a_model_that_cannot_tell_contradiction_finds_none() -> None:
    """What is not entailed is unsupported, as beside contexts."""
    backend = Unsure(answer=(0.2, None, None))
    found = compared(word_scorer(backend), "The shop is open.", "The shop is shut.")
    assert found.scored.score == pytest.approx(0.8)
    assert found.scored.claims[0].verdict is Verdict.UNSUPPORTED


def test_the_question_is_before_all_answers_or_none() -> None:
    """One answer that leaves no room for it leaves it out of the others, too."""
    backend = WordBackend()
    scorer = word_scorer(backend)
    asked = WordEncoder().id("whoever")
    compared(scorer, "Ben runs.", "Anna runs.", question="Whoever runs?")
    whole = [pair for call in backend.calls for pair in call if asked in unpack(pair.input_ids)]
    assert [list(unpack(pair.input_ids)).count(asked) for pair in whole] == [2, 2]
    backend.calls.clear()
    compared(scorer, "Ben runs.", "Anna runs " + "on " * 24 + "now.", question="Whoever runs?")
    assert backend.calls
    assert not any(asked in unpack(pair.input_ids) for call in backend.calls for pair in call)


def test_the_order_of_alternatives_changes_no_bit() -> None:
    """The mean is of an exact sum."""
    texts = [f"The shop is open from {hour} on." for hour in range(12)]
    scores = {
        compared(word_scorer(HashBackend()), "The shop is open.", *texts[at:], *texts[:at]).scored.score
        for at in range(len(texts))
    }
    assert len(scores) == 1
