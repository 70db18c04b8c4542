"""The NLI scorer put together: pairs, evidence, reasons and isolation."""

import pytest

from models.calibrate import Calibration
from models.limits import Limits
from models.nli import NliParts, NliScorer
from models.types import (
    Context,
    Item,
    NotApplicable,
    NotApplicableReason,
    Outcome,
    Scored,
    Unscored,
    UnscoredReason,
    Verdict,
)
from tests.unit.models.support import EVEN, WordBackend, WordEncoder, word_scorer

CONTEXT = "  The shop opens at nine.  "


def item(response: str, *contexts: str) -> Item:
    return Item(
        response=response,
        contexts=tuple(Context(id=f"c{index}", text=text) for index, text in enumerate(contexts or (CONTEXT,))),
    )


def score(response: str, *contexts: str) -> Outcome:
    return word_scorer().score([item(response, *contexts)], lambda: None)[0]


def test_supported_claim() -> None:
    """A claim that a window entails is supported, and the window is its evidence, trimmed."""
    scored = score("The shop opens at nine.")
    assert isinstance(scored, Scored)
    evidence = scored.claims[0].evidence
    assert evidence is not None
    assert (scored.claims[0].verdict, scored.flagged) == (Verdict.SUPPORTED, False)
    assert evidence.text == CONTEXT[evidence.start : evidence.end] == CONTEXT.strip()


def test_evidence_names_its_context() -> None:
    """Evidence is a span of the context at its index, blank contexts before it not skipped in counting."""
    given = item("The shop opens at nine.", " ", "Nothing of use.", CONTEXT)
    scored = word_scorer().score([given], lambda: None)[0]
    assert isinstance(scored, Scored)
    evidence = scored.claims[0].evidence
    assert evidence is not None
    assert (evidence.context_index, evidence.context_id) == (2, "c2")
    assert given.contexts[2].text[evidence.start : evidence.end] == evidence.text


def test_unsupported_claim_flags_the_response() -> None:
    """One bad claim flags a response; greetings beside it are kept, and not checked."""
    scored = score("Hello! The shop opens at nine. Bananas fly backwards daily.")
    assert isinstance(scored, Scored)
    assert [claim.verdict for claim in scored.claims] == [
        Verdict.NOT_CHECKABLE,
        Verdict.SUPPORTED,
        Verdict.UNSUPPORTED,
    ]
    assert (scored.flagged, scored.claims_checked, scored.claims_flagged, scored.pairs) == (True, 2, 1, 2)


@pytest.mark.parametrize(
    ("response", "context", "reason"),
    [
        ("The shop opens.", " \n", NotApplicableReason.NO_CONTEXT),
        ("", " ", NotApplicableReason.NO_CONTEXT),
        ("", CONTEXT, NotApplicableReason.NO_CLAIMS),
        ("Hello! How are you?", CONTEXT, NotApplicableReason.NO_CLAIMS),
        ("I cannot answer that. I hope this helps!", CONTEXT, NotApplicableReason.REFUSAL),
    ],
)
def test_not_applicable(response: str, context: str, reason: NotApplicableReason) -> None:
    """Nothing to check is not a score; the missing context comes first."""
    assert score(response, context) == NotApplicable(reason=reason)


def test_no_contexts_at_all() -> None:
    """An item without contexts is not applicable."""
    given = Item(response="The shop opens.", contexts=())
    assert word_scorer().score([given], lambda: None) == [NotApplicable(reason=NotApplicableReason.NO_CONTEXT)]


def test_long_claim_gets_smaller_windows() -> None:
    """A long claim is read whole beside smaller windows, and no pair is over the limit."""
    backend = WordBackend()
    long_claim = " ".join(f"word{number}" for number in range(50))
    context = " ".join(f"Line {number} is here." for number in range(20))
    outcome = word_scorer(backend).score([item(long_claim, context)], lambda: None)[0]
    assert isinstance(outcome, Scored)
    assert max(pair.length for call in backend.calls for pair in call) <= 64


def test_claim_too_long() -> None:
    """A claim that leaves no room for a window is never cut: the item is unscored."""
    claim = " ".join(f"word{number}" for number in range(60))
    assert score(claim) == Unscored(reason=UnscoredReason.CLAIM_TOO_LONG)


def test_same_pair_is_read_once() -> None:
    """A pair that recurs between items is read once, and each item still counts it."""
    backend = WordBackend()
    same = item("The shop opens at nine.")
    first, second = word_scorer(backend).score([same, same], lambda: None)
    assert (len(backend.calls[0]), first == second) == (1, True)


def test_nan_leaves_neighbours_alone() -> None:
    """NaN in one item's pairs makes that item unscored and no other."""
    backend = WordBackend(poison=WordEncoder().id("poison"))
    good, bad = item("The shop opens at nine."), item("The poison opens at nine.")
    outcomes = word_scorer(backend).score([good, bad, good, item("")], lambda: None)
    assert isinstance(outcomes[0], Scored)
    assert outcomes[0] == outcomes[2]
    assert outcomes[1] == Unscored(reason=UnscoredReason.NOT_FINITE)
    assert outcomes[3] == NotApplicable(reason=NotApplicableReason.NO_CLAIMS)


def test_nothing_in_nothing_out() -> None:
    """No items, no outcomes, no call of the model."""
    backend = WordBackend()
    assert (word_scorer(backend).score([], lambda: None), backend.calls) == ([], [])


def test_texts_are_tokenised_once() -> None:
    """A context that recurs among the items of a call is tokenised once."""
    encoder = WordEncoder()
    parts = NliParts(backend=WordBackend(), encoder=encoder, calibration=EVEN, weights_digest="none")
    NliScorer(parts).score([item("The shop opens."), item("It closes.")], lambda: None)
    assert encoder.encoded.count(CONTEXT) == 1


def test_fingerprint_follows_what_changes_scores() -> None:
    """Weights, calibration, threshold and limits change the fingerprint; the backend does not."""

    def fingerprint(**changes: object) -> str:
        parts = {"backend": WordBackend(), "encoder": WordEncoder(), "calibration": EVEN, "weights_digest": "a"}
        return NliScorer(NliParts(**{**parts, **changes})).fingerprint

    same = [fingerprint(), fingerprint(backend=WordBackend(attributes={"backend": "other"}))]
    other = [
        fingerprint(weights_digest="b"),
        fingerprint(threshold="balanced"),
        fingerprint(limits=Limits(window=64)),
        fingerprint(calibration=Calibration(slope=2.0, intercept=0.0, strict=0.8)),
    ]
    assert len(set(same)) == 1
    assert len({*same, *other}) == 1 + len(other)
