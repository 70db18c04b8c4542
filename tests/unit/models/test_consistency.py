"""Self-consistency: the arithmetic of the papers, and the cases whose answer is known."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.consistency import disagreement, semantic_entropy
from models.fake import FakeScorer
from models.limits import Limits
from models.load import load_scorer
from models.tokens import unpack
from models.types import (
    Alternative,
    Assessed,
    Consistent,
    Context,
    EncodedPair,
    Item,
    NotApplicable,
    NotApplicableReason,
    Probability,
    Scored,
    Scorer,
    Unscored,
    UnscoredReason,
    Verdict,
)
from tests.unit.models.support import SEPARATOR, WordBackend, WordEncoder, word_scorer


def item(response: str, *alternatives: str, question: str | None = None, contexts: Sequence[str] = ()) -> Item:
    return Item(
        response=response,
        contexts=tuple(Context(id=str(n), text=text) for n, text in enumerate(contexts)),
        question=question,
        samples=tuple(Alternative(text=text) for text in alternatives),
    )


def assess(scorer: Scorer, *items: Item) -> list[Assessed]:
    return scorer.assess(items, lambda: None)


def compared(scorer: Scorer, response: str, *alternatives: str, question: str | None = None) -> Consistent:
    [assessed] = assess(scorer, item(response, *alternatives, question=question))
    assert isinstance(assessed.consistency, Consistent)
    return assessed.consistency


@pytest.fixture(scope="module")
def bundled() -> Scorer:
    return load_scorer()


class TestKnownCases:
    """With the bundled model."""

    @pytest.mark.parametrize(
        "alternatives",
        [["The kettle is blue."] * 3, ["the kettle  is blue.", "The **kettle** is blue."]],
        ids=["to the letter", "but for case, spaces and markup"],
    )
    def test_identical_answers_give_nothing(self, bundled: Scorer, alternatives: list[str]) -> None:
        """Score and entropy are exactly 0, and the model is not asked."""
        found = compared(bundled, "The kettle is blue.", *alternatives)
        assert (found.scored.score, found.entropy, found.clusters, found.pairs) == (0.0, 0.0, 1, 0)
        assert not found.scored.flagged

    @pytest.mark.parametrize(
        ("response", "alternatives"),
        [
            ("The store opens at 9 am.", ["The store opens at 10 am.", "The store opens at 11 am."]),
            ("The meeting is on Monday.", ["The meeting is on Tuesday.", "The meeting is on Friday."]),
            ("The capital is Berlin.", ["The capital is Paris.", "The capital is Rome.", "The capital is Madrid."]),
        ],
    )
    def test_answers_that_contradict_each_other_give_the_most(
        self, bundled: Scorer, response: str, alternatives: list[str]
    ) -> None:
        """Each means something else, so that entropy is exactly 1, and the claim is contradicted throughout."""
        found = compared(bundled, response, *alternatives)
        assert (found.entropy, found.clusters) == (1.0, 1 + len(alternatives))
        assert found.scored.score > 0.95
        assert [claim.verdict for claim in found.scored.claims] == [Verdict.CONTRADICTED]

    @pytest.mark.parametrize(
        ("response", "alternatives", "question"),
        [
            (
                "Paris is the capital of France.",
                [
                    "The capital of France is Paris.",
                    "France's capital is Paris.",
                    "France has Paris as its capital city.",
                ],
                "What is the capital of France?",
            ),
            ("Anna is the mother of Ben.", ["Ben's mother is Anna.", "Anna is Ben's mother."], None),
        ],
    )
    def test_paraphrases_are_one_meaning(
        self, bundled: Scorer, response: str, alternatives: list[str], question: str | None
    ) -> None:
        """Other words for the same are one cluster, and support the claim."""
        found = compared(bundled, response, *alternatives, question=question)
        assert (found.clusters, found.entropy) == (1, 0.0)
        assert found.scored.score < 0.1


@dataclass
class ToldBackend(WordBackend):
    """Answers by the words of premise and hypothesis as it is told, and neutral to others."""

    told: Mapping[tuple[str, str], tuple[float, float, float]] = field(default_factory=dict)

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        self.calls.append(list(pairs))
        progress()
        encoder = WordEncoder()
        known = {
            tuple(tuple(encoder.encode(text).ids) for text in texts): answer for texts, answer in self.told.items()
        }
        found = []
        for pair in pairs:
            ids = list(unpack(pair.input_ids))
            at = ids.index(SEPARATOR)
            e, n, c = known.get((tuple(ids[1:at]), tuple(ids[at + 1 : -1])), (0.1, 0.8, 0.1))
            found.append(Probability(entailment=e, neutral=n, contradiction=c))
        return found


class TestArithmetic:
    def test_a_claims_score_is_the_mean_over_alternatives(self) -> None:
        """Contradiction against entailment alone, neutral left out: here (0.6/0.9 + 0.1/0.8 + 0) / 3."""
        backend = ToldBackend(
            told={
                ("It costs ten.", "It costs nine."): (0.3, 0.1, 0.6),
                ("It costs about nine.", "It costs nine."): (0.7, 0.2, 0.1),
            }
        )
        found = compared(
            word_scorer(backend), "It costs nine.", "It costs ten.", "It costs about nine.", "It costs nine."
        )
        assert found.scored.score == pytest.approx((0.6 / 0.9 + 0.1 / 0.8 + 0) / 3)
        assert found.samples == 3

    def test_the_window_that_entails_decides(self) -> None:
        """An alternative that says the claim somewhere supports it, whatever else it says."""
        spoken = [
            Probability(entailment=0.1, neutral=0.1, contradiction=0.8),
            Probability(entailment=0.9, neutral=0.05, contradiction=0.05),
        ]
        assert disagreement(spoken) == pytest.approx(0.05 / 0.95)
        assert disagreement(spoken[:1]) == pytest.approx(0.8 / 0.9)

    def test_one_way_is_no_paraphrase(self) -> None:
        """Answers mean the same only if each entails the other."""
        both = {("A red car.", "A car."): (0.9, 0.05, 0.05)}
        found = compared(word_scorer(ToldBackend(told=both)), "A car.", "A red car.")
        assert found.clusters == 2
        both |= {("A car.", "A red car."): (0.9, 0.05, 0.05)}
        assert compared(word_scorer(ToldBackend(told=both)), "A car.", "A red car.").clusters == 1

    def test_entropy_of_meanings(self) -> None:
        """Of four answers, three of which mean the same: -(3/4 ln 3/4 + 1/4 ln 1/4) / ln 4."""
        expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(4)
        assert semantic_entropy([0, 0, 1, 0], [None] * 3) == pytest.approx(expected)

    def test_likelihoods_weigh_where_all_are_known(self) -> None:
        """The alternatives alone, by exp of their mean log-probability; one that is not known, and each weighs the same."""
        likelihoods = [math.log(0.8), math.log(0.2)]
        expected = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2)) / math.log(2)
        assert semantic_entropy([0, 0, 1], likelihoods) == pytest.approx(expected)
        assert semantic_entropy([0, 0, 1], [likelihoods[0], None]) == semantic_entropy([0, 0, 1], [None, None])

    @given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
    def test_entropy_is_0_for_one_meaning_and_1_for_none_shared(self, clusters: list[int]) -> None:
        """Within 0..1; the ends are reached exactly there, for two answers or more."""
        found = semantic_entropy(clusters, [None] * (len(clusters) - 1))
        assert 0 <= found <= 1
        assert (found == 0) is (len(set(clusters)) == 1)
        if len(clusters) > 1:
            assert (found > 1 - 1e-12) is (len(set(clusters)) == len(clusters))


class TestTogether:
    def test_no_context_is_needed(self) -> None:
        """The check against contexts does not apply, and the comparison is made."""
        [assessed] = assess(word_scorer(), item("The shop opens at nine.", "The shop opens at ten."))
        assert assessed.outcome == NotApplicable(reason=NotApplicableReason.NO_CONTEXT)
        assert isinstance(assessed.consistency, Consistent)

    def test_one_call_reads_both(self) -> None:
        """Windows of contexts and of alternatives are read in the same batches, and a pair that both need only once."""
        backend = WordBackend()
        both = item("The shop opens at nine.", "The shop opens at ten.", contexts=["The shop opens at ten."])
        assess(word_scorer(backend), both)
        first = [pair.input_ids for pair in backend.calls[0]]
        assert len(first) == len(set(first)) == 2  # the shared one, and the answers the other way round

    def test_what_it_says_of_contexts_does_not_change(self) -> None:
        """With or without alternatives the outcome is the same, and `score` is `assess` without them."""
        given_item = item("The shop opens at nine.", "It opens at ten.", contexts=["The shop opens at nine, daily."])
        scorer = word_scorer()
        [with_them], [without] = (
            assess(scorer, given_item),
            assess(scorer, item("The shop opens at nine.", contexts=["The shop opens at nine, daily."])),
        )
        assert with_them.outcome == without.outcome == scorer.score([given_item], lambda: None)[0]
        assert isinstance(with_them.outcome, Scored)
        assert without.consistency is None

    def test_a_nan_harms_its_own_part_alone(self) -> None:
        """Neither a neighbour, nor what the same item's contexts say, is lost to it."""
        poison = WordEncoder().id("poison")
        scorer = word_scorer(WordBackend(poison=poison))
        bad = item("The shop opens.", "All is poison.", contexts=["The shop opens."])
        good = item("The shop opens.", "The shop closes.")
        first, second = assess(scorer, bad, good)
        assert isinstance(first.outcome, Scored)
        assert first.consistency == Unscored(reason=UnscoredReason.NOT_FINITE)
        assert isinstance(second.consistency, Consistent)

    def test_the_number_of_pairs_is_bounded(self) -> None:
        """An item that would need more than it may is unscored before anything is read."""
        backend = WordBackend()
        scorer = word_scorer(backend, Limits(window=20, least_window=4, max_length=64, max_pairs=5))
        [assessed] = assess(scorer, item("One is one.", "Two is two.", "Three is three."))
        assert assessed.consistency == Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)
        assert backend.calls == []

    def test_nothing_to_check(self) -> None:
        """A greeting has no claims, and a blank alternative is none."""
        scorer = word_scorer()
        greeting, blank = assess(scorer, item("Hello!", "Hi there."), item("The shop opens.", "  "))
        assert greeting.consistency == NotApplicable(reason=NotApplicableReason.NO_CLAIMS)
        assert blank.consistency is None

    @given(
        st.permutations(["The shop opens at ten.", "It opens at nine.", "It never opens.", "The shop opens at nine."])
    )
    def test_order_of_alternatives_does_not_matter_to_claims(self, alternatives: list[str]) -> None:
        """The mean is the mean."""
        expected = compared(word_scorer(), "The shop opens at nine.", *sorted(alternatives)).scored.score
        assert compared(word_scorer(), "The shop opens at nine.", *alternatives).scored.score == pytest.approx(expected)

    @given(
        st.lists(st.sampled_from(["The shop opens at ten.", "It never opens.", "Nine it is."]), min_size=1, max_size=4)
    )
    def test_one_more_that_agrees_never_makes_it_worse(self, alternatives: list[str]) -> None:
        """An alternative that says the same to the letter lowers the score, or leaves it."""
        before = compared(word_scorer(), "The shop opens at nine.", *alternatives).scored.score
        after = compared(
            word_scorer(), "The shop opens at nine.", *alternatives, "The shop opens at nine."
        ).scored.score
        assert after <= before


def test_fingerprint_knows_no_threshold() -> None:
    """What flags a response against its contexts does not change how answers are compared."""
    strict, balanced = FakeScorer("strict"), FakeScorer("balanced")
    assert strict.fingerprint != balanced.fingerprint
    assert strict.consistency_fingerprint == balanced.consistency_fingerprint


def test_the_fake_compares_by_words() -> None:
    """Half of the alternatives lack the claim's words: half of the score."""
    found = compared(FakeScorer(), "The kettle is blue.", "The kettle is blue.", "Bananas fly daily.")
    assert (found.scored.score, found.clusters) == (0.5, 2)


class TestLong:
    def test_answers_that_are_cut_have_no_entropy(self) -> None:
        """What differs may lie behind what was read: unknown, and not 0."""
        long = " ".join(f"Shop {n} opens at nine." for n in range(12))
        found = compared(word_scorer(), long, long + " All are closed.")
        assert (found.entropy, found.clusters) == (None, None)
        assert found.scored.claims_checked == 12
