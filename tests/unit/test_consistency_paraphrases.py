"""What the bundled model takes for the same in other words.

Of 18 paraphrases tried it missed five: "free for orders over 50 euros" / "orders above 50 euros ship for free" (in one
direction), "two years" / "24-month", "the highest mountain" / "no mountain is higher", "noon" / "12:00" and "cancel at any
time" / "cancellation whenever you like". It also takes "It is false that X" to support X. Neither is pinned: a better
model may do better.
"""

import pytest

from models.load import load_scorer
from models.types import Alternative, Consistent, Item, Scorer


@pytest.fixture(scope="module")
def bundled() -> Scorer:
    return load_scorer()


@pytest.mark.parametrize(
    ("response", "alternative", "question"),
    [
        ("The meeting was moved to Friday.", "They moved the meeting to Friday.", None),
        ("The kettle holds two litres.", "The kettle's capacity is two litres.", None),
        ("The shop closes at 6 pm.", "Closing time of the shop is 6 pm.", None),
        ("He was born in 1950.", "His year of birth is 1950.", None),
        ("Marie Curie discovered radium.", "Radium was discovered by Marie Curie.", None),
        ("Refunds take five business days.", "You will get your money back within five working days.", None),
        ("Paris.", "The capital of France is Paris.", "What is the capital of France?"),
        ("In 1969.", "The landing took place in 1969.", "When was the Moon landing?"),
    ],
)
def test_a_paraphrase_is_one_meaning(bundled: Scorer, response: str, alternative: str, question: str | None) -> None:
    """One cluster, no entropy, and the claim is supported."""
    item = Item(response=response, contexts=(), question=question, samples=(Alternative(text=alternative),))
    [assessed] = bundled.assess([item], lambda: None)
    assert isinstance(assessed.consistency, Consistent)
    assert (assessed.consistency.clusters, assessed.consistency.entropy) == (1, 0.0)
    assert assessed.consistency.scored.score < 0.1
