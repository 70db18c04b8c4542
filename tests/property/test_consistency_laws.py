"""The laws of self-consistency, whatever the model answers."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from models.comparison import WINDOWS
from models.types import Alternative, Assessed, Consistent, Context, Item
from tests.property.strategies import LAW
from tests.unit.models.support import HashBackend, word_scorer

FEW = settings(LAW, max_examples=40)

SENTENCES = st.sampled_from(
    [
        "The shop opens at nine.",
        "The shop opens at ten.",
        "It never opens.",
        "Anna owns the shop.",
        "The owner is Ben.",
        "Parking costs five euros.",
        "Nobody pays for parking.",
    ]
)
ANSWERS = st.lists(SENTENCES, min_size=1, max_size=3, unique=True).map(" ".join)
ALTERNATIVES = st.lists(ANSWERS, min_size=1, max_size=5)


def item_of(response: str, alternatives: list[str], contexts: list[str] | None = None) -> Item:
    return Item(
        response=response,
        contexts=tuple(Context(id=str(n), text=text) for n, text in enumerate(contexts or ())),
        samples=tuple(Alternative(text=text) for text in alternatives),
    )


def assess(*items: Item) -> list[Assessed]:
    return word_scorer(HashBackend()).assess(items, lambda: None)


def compared(response: str, alternatives: list[str]) -> Consistent:
    [assessed] = assess(item_of(response, alternatives))
    assert isinstance(assessed.consistency, Consistent)
    return assessed.consistency


@FEW
@given(ANSWERS, ALTERNATIVES)
def test_numbers_keep_within_their_ranges(response: str, alternatives: list[str]) -> None:
    """Score and entropy in 0..1, 1 to n meanings, no entropy exactly for one, and no more pairs than the stated bound."""
    found, answers = compared(response, alternatives), 1 + len(alternatives)
    assert 0 <= found.scored.score <= 1
    assert 0 <= found.entropy <= 1
    assert 1 <= found.clusters <= answers
    assert (found.entropy == 0) is (found.clusters == 1)
    assert (found.entropy == 1) is (found.clusters == answers)
    assert found.samples == len(alternatives)
    assert found.pairs <= len(found.scored.claims) * len(alternatives) * WINDOWS + answers * (answers - 1)


@FEW
@given(ANSWERS, ALTERNATIVES, st.randoms(use_true_random=False))
def test_order_of_alternatives_does_not_change_claims(response: str, alternatives: list[str], random: Random) -> None:
    """A claim's score is a mean, which has no order."""
    shuffled = list(alternatives)
    random.shuffle(shuffled)
    before, after = compared(response, alternatives), compared(response, shuffled)
    assert all(
        abs((one.score or 0.0) - (other.score or 0.0)) < 1e-12
        for one, other in zip(before.scored.claims, after.scored.claims, strict=True)
    )


@FEW
@given(ANSWERS, ALTERNATIVES)
def test_one_more_that_says_the_same_never_makes_it_worse(response: str, alternatives: list[str]) -> None:
    """An alternative that is the response itself, but for case and spaces, raises no claim's score and adds no meaning."""
    before = compared(response, alternatives)
    after = compared(response, [*alternatives, response.upper().replace(" ", "  ")])
    assert all(
        (one.score or 0.0) >= (other.score or 0.0)
        for one, other in zip(before.scored.claims, after.scored.claims, strict=True)
    )
    assert after.clusters == before.clusters


@FEW
@given(st.lists(st.tuples(ANSWERS, ALTERNATIVES, st.lists(ANSWERS, max_size=2)), min_size=2, max_size=4))
def test_neighbours_and_alternatives_change_nothing_else(given_items: list[tuple[str, list[str], list[str]]]) -> None:
    """Together or alone the same comes out to the bit, and what contexts say is the same with and without alternatives."""
    items = [item_of(*each) for each in given_items]
    together = assess(*items)
    assert together == [assess(item)[0] for item in items]
    bare = [item_of(response, [], contexts) for response, _, contexts in given_items]
    assert [each.outcome for each in together] == [each.outcome for each in assess(*bare)]
    assert [each.outcome for each in together] == word_scorer(HashBackend()).score(items, lambda: None)
