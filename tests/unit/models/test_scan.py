"""The scan: reads the most relevant window first, stops where a claim is settled, and answers as if it had read all."""

from models.aggregate import UNFOUNDED
from models.limits import Limits
from models.pair_cache import PairCache
from models.tokens import pack
from models.types import Context, Item, Outcome, Probability, Scored, Unscored, UnscoredReason
from tests.unit.models.support import EVEN, WordBackend, word_scorer

FILLER = "Rain fell on Monday. Nobody came. The bus was late. Cats slept all day. Snow is cold. Trees grew tall."
# Shares so few signs with any sentence of the filler that none of them counts for much.
MADE_UP = "Bananas fly backwards over seven purple mountains every spring."
LIMITS = Limits(window=20, least_window=4, max_length=64)


def item(response: str, *contexts: str) -> Item:
    return Item(response=response, contexts=tuple(Context(id=str(at), text=text) for at, text in enumerate(contexts)))


def read(given: Item, *, exhaustive: bool = False) -> tuple[Outcome, int]:
    """The outcome, and how many pairs the model read."""
    backend = WordBackend()
    outcome = word_scorer(backend, LIMITS, exhaustive=exhaustive).score([given], lambda: None)[0]
    return outcome, sum(len(call) for call in backend.calls)


def test_stops_at_the_first_that_is_accepted() -> None:
    """A claim that its most relevant window entails costs one pair, wherever that window stands."""
    given = item("The shop opens at nine.", FILLER, f"{FILLER} The shop opens at nine. {FILLER}")
    outcome, pairs = read(given)
    assert isinstance(outcome, Scored)
    assert (pairs, outcome.pairs) == (1, 1)


def test_reads_everything_where_nothing_is_accepted() -> None:
    """A claim is unsupported only after every window was read."""
    outcome, pairs = read(item(MADE_UP, FILLER))
    assert isinstance(outcome, Scored)
    assert (pairs, outcome.pairs) == (6, 6)


def test_stops_where_the_rest_counts_for_no_more() -> None:
    """What is not about a claim is not read once something counts for as much as that may count for."""
    outcome, pairs = read(item("The shop opens at nine.", FILLER, "The shop opens."))
    assert isinstance(outcome, Scored)
    assert (pairs, outcome.pairs) == (1, 1)
    assert outcome.claims[0].score == EVEN.score(4 / 6)


def test_says_what_reading_everything_says() -> None:
    """Score, verdict and evidence are those of the exhaustive scan; only the pairs differ."""
    given = item(
        "The shop opens at nine. Bananas fly.", FILLER, "The shop opens at nine. The shop, I say, opens at nine."
    )
    (short, few), (full, many) = read(given), read(given, exhaustive=True)
    assert isinstance(short, Scored)
    assert isinstance(full, Scored)
    assert (short.score, short.claims) == (full.score, full.claims)
    assert few < many


def test_a_number_of_no_context_is_never_settled_by_support() -> None:
    """All that speaks of a claim is read when the claim states a number which no context gives: some of it may contradict."""
    given = item("The shop opens at 11.", FILLER, "The shop opens at nine. The shop opens at eight.")
    (short, _), (full, _) = read(given), read(given, exhaustive=True)
    assert isinstance(short, Scored)
    assert isinstance(full, Scored)
    assert (short.score, short.claims) == (full.score, full.claims)
    assert short.score == EVEN.score(UNFOUNDED)
    asked = Item(response=given.response, contexts=given.contexts, question="Does it open at 11?")
    outcome, _ = read(asked)
    assert isinstance(outcome, Scored)
    assert outcome.score < short.score


def test_limit_counts_what_is_needed() -> None:
    """An item is given up when it needs more pairs than it may; one that is settled early is not."""
    tight = Limits(window=20, least_window=4, max_length=64, max_pairs=3)
    backend = WordBackend()
    scorer = word_scorer(backend, tight)
    outcomes = scorer.score([item(MADE_UP, FILLER), item("Snow is cold.", FILLER)], lambda: None)
    assert outcomes[0] == Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)
    assert isinstance(outcomes[1], Scored)
    assert sum(len(call) for call in backend.calls) <= 1 + 4


def test_too_much_to_put_in_order_is_refused_before_the_model_is_asked() -> None:
    """Sentences times claims are bounded, since putting them in order takes time of its own."""
    backend = WordBackend()
    tight = Limits(window=20, least_window=4, max_length=64, max_ranked=11)
    outcomes = word_scorer(backend, tight).score([item("Bananas fly. Snow is cold.", FILLER)], lambda: None)
    assert (outcomes, backend.calls) == ([Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)], [])


def test_same_text_twice_is_read_once() -> None:
    """Contexts that repeat each other cost nothing, and the first is the evidence."""
    outcome, pairs = read(item(MADE_UP, FILLER, FILLER, FILLER))
    assert isinstance(outcome, Scored)
    assert pairs == 6
    assert outcome.claims[0].evidence is not None
    assert outcome.claims[0].evidence.context_index == 0


def test_cache_answers_what_was_read_before() -> None:
    """A scorer with a cache asks the model once, and answers alike."""
    backend = WordBackend()
    scorer = word_scorer(backend, LIMITS, cache=100)
    given = item(MADE_UP, FILLER)
    first, second = (scorer.score([given], lambda: None)[0] for _ in range(2))
    assert (first == second, len(backend.calls)) == (True, sum(1 for call in backend.calls if call))
    before = len(backend.calls)
    scorer.score([given], lambda: None)
    assert len(backend.calls) == before


def test_cache_is_bounded() -> None:
    """The least recently asked is forgotten; a cache of 0 remembers nothing."""
    answer = Probability(entailment=1.0, neutral=0.0, contradiction=0.0)
    keys = [(pack([number]), b"") for number in range(3)]
    cache = PairCache(2)
    cache.put(keys[0], answer)
    cache.put(keys[1], answer)
    cache.get(keys[0])
    cache.put(keys[2], answer)
    assert [cache.get(key) is not None for key in keys] == [True, False, True]
    nothing = PairCache(0)
    nothing.put(keys[0], answer)
    assert (nothing.get(keys[0]), len(nothing)) == (None, 0)


def test_groups_change_nothing() -> None:
    """A backend that reads few items at a time, the next ones prepared meanwhile, gives the same in the same order."""
    items = [item(f"{claim} Snow is cold.", FILLER) for claim in ("Bananas fly.", "The bus was late.", "Cats slept.")]
    items = [*items, item(""), *items]
    together = word_scorer(WordBackend(), LIMITS).score(items, lambda: None)
    assert word_scorer(WordBackend(group=2), LIMITS).score(items, lambda: None) == together
