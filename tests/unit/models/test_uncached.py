"""A scorer without its memory: what was read before does not answer for a model that is broken since."""

from dataclasses import dataclass

from models.fake import FakeScorer
from models.types import Context, EncodedPair, Item, Outcome, Probability, Scored, Scorer
from tests.unit.models.support import WordBackend, word_scorer

ITEM = Item(response="The kettle is blue.", contexts=(Context(id="0", text="The kettle is blue."),))


@dataclass
class Breakable(WordBackend):
    """Calls everything a contradiction once it is broken."""

    broken: bool = False

    def _one(self, pair: EncodedPair) -> Probability:
        if self.broken:
            return Probability(entailment=0.0, neutral=0.0, contradiction=1.0)
        return super()._one(pair)


def outcome(scorer: Scorer) -> Outcome:
    (found,) = scorer.score([ITEM], lambda: None)
    return found


def test_the_cache_does_not_answer() -> None:
    """The scorer itself goes on answering from memory; the one without asks the model, each time."""
    backend = Breakable()
    scorer = word_scorer(backend, cache=100)
    bare = scorer.uncached()
    assert outcome(scorer) == outcome(bare)
    backend.broken = True
    remembered, asked = outcome(scorer), outcome(bare)
    assert isinstance(remembered, Scored)
    assert isinstance(asked, Scored)
    assert (remembered.flagged, asked.flagged) == (False, True)
    backend.broken = False
    assert outcome(bare) == remembered


def test_it_is_the_same_scorer() -> None:
    """Fingerprint, attributes and the model are those of the scorer that it came from."""
    backend = WordBackend()
    scorer = word_scorer(backend, cache=100)
    bare = scorer.uncached()
    assert (bare.name, bare.fingerprint, bare.attributes) == (scorer.name, scorer.fingerprint, scorer.attributes)
    outcome(bare)
    assert len(backend.calls) == 1


def test_what_remembers_nothing_is_itself() -> None:
    """The fake scorer."""
    fake = FakeScorer()
    assert fake.uncached() is fake
