"""Self-consistency from texts to numbers: a model that answers as it is told, and the rules of the fake scorer."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from models.consistency import semantic_entropy
from models.fake import FakeScorer
from models.tokens import unpack
from models.types import (
    Alternative,
    Consistent,
    Context,
    EncodedPair,
    Item,
    NotApplicable,
    NotApplicableReason,
    NotFiniteError,
    Probability,
    Scored,
    Scorer,
    Unscored,
    UnscoredReason,
    Verdict,
)
from tests.unit.models.support import SEPARATOR, WordBackend, WordEncoder, word_scorer

SAME = (0.9, 0.06, 0.04)
OTHER = (0.1, 0.2, 0.7)


@dataclass
class ScriptedBackend(WordBackend):
    """Answers (premise, hypothesis) as it is told, and OTHER to the rest."""

    told: Mapping[tuple[str, str], tuple[float, float, float]] = field(default_factory=dict)

    def _one(self, pair: EncodedPair) -> Probability:
        encode = WordEncoder().encode
        ids = list(unpack(pair.input_ids))
        at = ids.index(SEPARATOR)
        told = {(*encode(one).ids, -1, *encode(other).ids): answer for (one, other), answer in self.told.items()}
        entailment, neutral, contradiction = told.get((*ids[1:at], -1, *ids[at + 1 : -1]), OTHER)
        return Probability(entailment=entailment, neutral=neutral, contradiction=contradiction)


@dataclass
class PoisonedWindows(WordBackend):
    """Answers NaN to a call in which the poison is in a window, wherever the claim is from."""

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        if any(self.poison in unpack(pair.input_ids) for pair in pairs):
            raise NotFiniteError
        return super().predict(pairs, progress)


def compared(scorer: Scorer, response: str, *alternatives: Alternative, question: str | None = None) -> Consistent:
    item = Item(response=response, contexts=(), question=question, samples=alternatives)
    [assessed] = scorer.assess([item], lambda: None)
    assert isinstance(assessed.consistency, Consistent)
    return assessed.consistency


def both_ways(one: str, other: str) -> dict[tuple[str, str], tuple[float, float, float]]:
    return {(one, other): SAME, (other, one): SAME}


class TestFromTextsToNumbers:
    def test_the_worst_claim_is_the_score(self) -> None:
        """Of two claims 0.04/0.94 and 0.7/0.8, where the paper would average: the worse of the two."""
        told = {("Anna swims daily.", "Anna swims."): SAME}
        backend = ScriptedBackend(told=told)
        found = compared(word_scorer(backend), "Anna swims. Ben runs.", Alternative(text="Anna swims daily."))
        swims, runs = found.scored.claims
        assert swims.score == pytest.approx(0.04 / 0.94)
        assert found.scored.score == runs.score == pytest.approx(0.7 / 0.8)
        assert (swims.verdict, runs.verdict) == (Verdict.SUPPORTED, Verdict.CONTRADICTED)
        assert (found.scored.threshold, found.scored.flagged, found.scored.claims_flagged) == (0.5, True, 1)
        assert {(claim.probability, claim.evidence) for claim in found.scored.claims} == {(None, None)}

    def test_likelihoods_weigh_the_meanings_of_alternatives(self) -> None:
        """Two say nine with 0.5 and 0.3, one says ten with 0.2: -(0.8 ln 0.8 + 0.2 ln 0.2) / ln 3."""
        told = both_ways("It opens at nine.", "Nine is when it opens.")
        alternatives = [
            Alternative(text="It opens at nine.", likelihood=math.log(0.5)),
            Alternative(text="Nine is when it opens.", likelihood=math.log(0.3)),
            Alternative(text="It opens at ten.", likelihood=math.log(0.2)),
        ]
        found = compared(word_scorer(ScriptedBackend(told=told)), "It opens at one.", *alternatives)
        assert found.clusters == 3  # with the response's own
        assert found.entropy == pytest.approx(-(0.8 * math.log(0.8) + 0.2 * math.log(0.2)) / math.log(3))

    def test_without_all_likelihoods_each_answer_weighs_the_same(self) -> None:
        """Of four answers two mean the same: -(1/2 ln 1/2 + 2/4 ln 1/4) / ln 4 = 3/4."""
        told = both_ways("It opens at nine.", "Nine is when it opens.")
        alternatives = [
            Alternative(text="It opens at nine.", likelihood=math.log(0.5)),
            Alternative(text="Nine is when it opens."),
            Alternative(text="It opens at ten.", likelihood=math.log(0.2)),
        ]
        found = compared(word_scorer(ScriptedBackend(told=told)), "It opens at one.", *alternatives)
        assert (found.clusters, found.entropy) == (3, pytest.approx(0.75))

    def test_meanings_are_compared_beside_the_question(self) -> None:
        """Bare answers that mean the same only as answers to the question are one cluster."""
        told = both_ways("Who runs? Ben.", "Who runs? It is Ben.")
        scorer = word_scorer(ScriptedBackend(told=told))
        other = Alternative(text="It is Ben.")
        assert compared(scorer, "Ben.", other, question="Who runs?").clusters == 1
        assert compared(scorer, "Ben.", other).clusters == 2

    @pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
    def test_a_likelihood_that_is_no_number_is_not_known(self, odd: float) -> None:
        """It weighs nothing away: each answer weighs the same, as if it had not been given."""
        assert semantic_entropy([0, 0, 1], [odd, -1.0]) == semantic_entropy([0, 0, 1], [None, None])


def test_a_nan_beside_contexts_leaves_the_comparison_alone() -> None:
    """The outcome is unscored, and what the alternatives say is what it would be without that context."""
    scorer = word_scorer(PoisonedWindows(poison=WordEncoder().id("poison")))
    samples = (Alternative(text="The shop closes."),)
    contexts = (Context(id="0", text="The shop is poison."),)
    item = Item(response="The shop opens.", contexts=contexts, samples=samples)
    clean = Item(response="The shop opens.", contexts=(), samples=samples)
    [assessed] = scorer.assess([item], lambda: None)
    [alone] = scorer.assess([clean], lambda: None)
    assert assessed.outcome == Unscored(reason=UnscoredReason.NOT_FINITE)
    assert assessed.consistency == alone.consistency
    assert isinstance(assessed.consistency, Consistent)


class TestTheFake:
    def test_it_says_why_there_is_nothing_to_compare(self) -> None:
        """A refusal is told from a greeting, as by the model."""
        other = (Alternative(text="The kettle is blue."),)
        refusal = Item(response="I cannot answer that.", contexts=(), samples=other)
        greeting = Item(response="Hello!", contexts=(), samples=other)
        assert [each.consistency for each in FakeScorer().assess([refusal, greeting], lambda: None)] == [
            NotApplicable(reason=NotApplicableReason.REFUSAL),
            NotApplicable(reason=NotApplicableReason.NO_CLAIMS),
        ]

    def test_a_blank_alternative_is_none(self) -> None:
        """It is left out, and an item with no others has nothing to be compared with."""
        texts = ("The kettle is blue.", " \n")
        found = compared(FakeScorer(), "The kettle is blue.", *(Alternative(text=text) for text in texts))
        assert (found.samples, found.scored.score, found.entropy) == (1, 0.0, 0.0)
        blank = Item(response="The kettle is blue.", contexts=(), samples=(Alternative(text=" "),))
        assert FakeScorer().assess([blank], lambda: None)[0].consistency is None

    def test_directives_are_no_part_of_what_is_compared(self) -> None:
        """A response that asks to be slow means what it says without."""
        found = compared(FakeScorer(), "The kettle is blue. [[fake:slow=0]]", Alternative(text="The kettle is blue."))
        assert (found.clusters, found.entropy) == (1, 0.0)

    def test_a_directive_unscores_both(self) -> None:
        """Where the model would have answered NaN neither part is scored; without alternatives there is one part."""
        contexts = (Context(id="0", text="The kettle is blue."),)
        asked = "The kettle is blue. [[fake:nan]]"
        other = (Alternative(text="The kettle is blue."),)
        both = Item(response=asked, contexts=contexts, samples=other)
        one = Item(response=asked, contexts=contexts)
        found = FakeScorer().assess([both, one], lambda: None)
        failed = Unscored(reason=UnscoredReason.NOT_FINITE)
        assert [(each.outcome, each.consistency) for each in found] == [(failed, failed), (failed, None)]

    def test_score_is_what_assess_says_of_contexts(self) -> None:
        """Whether or not an item has alternatives."""
        contexts = (Context(id="0", text="The kettle is blue."),)
        item = Item(response="The kettle is red.", contexts=contexts, samples=(Alternative(text="It is red."),))
        scorer = FakeScorer()
        [outcome] = scorer.score([item], lambda: None)
        assert outcome == scorer.assess([item], lambda: None)[0].outcome
        assert isinstance(outcome, Scored)
