"""Verdicts and scores."""

from models.aggregate import UNFOUNDED, UNRELATED, Judgement, judge_claim, judge_response
from models.types import ClaimResult, Probability, Verdict
from tests.unit.models.support import EVEN


def probability(entailment: float, contradiction: float = 0.0) -> Probability:
    return Probability(entailment=entailment, neutral=1 - entailment - contradiction, contradiction=contradiction)


def judged(probabilities: list[Probability], *, about: bool = True) -> Judgement:
    return judge_claim(probabilities, [about] * len(probabilities), EVEN)


def claim(score: float | None) -> ClaimResult:
    verdict = Verdict.NOT_CHECKABLE if score is None else Verdict.UNSUPPORTED
    return ClaimResult(start=0, end=1, text="x", verdict=verdict, score=score, probability=None, evidence=None)


def test_any_entailing_window_supports() -> None:
    """A claim is supported if ANY window entails it, though another contradicts it."""
    judgement = judged([probability(0.1, 0.9), probability(0.9)])
    assert (judgement.verdict, judgement.deciding) == (Verdict.SUPPORTED, 1)


def test_contradicted_only_when_none_entails() -> None:
    """The window that contradicts most decides a contradiction."""
    judgement = judged([probability(0.1, 0.6), probability(0.0, 0.9), probability(0.2)])
    assert (judgement.verdict, judgement.deciding) == (Verdict.CONTRADICTED, 1)


def test_only_what_is_about_the_claim_contradicts_it() -> None:
    """A window that speaks of something else contradicts nothing, whatever the model says."""
    assert judged([probability(0.1, 0.9)], about=False).verdict is Verdict.UNSUPPORTED


def test_what_speaks_of_something_else_supports_little() -> None:
    """Entailment by a window that is not about the claim counts for next to nothing, and one that is about it wins."""
    alone = judged([probability(0.95)], about=False)
    assert (alone.verdict, alone.score) == (Verdict.UNSUPPORTED, EVEN.score(UNRELATED))
    both = judge_claim([probability(0.95), probability(0.2)], [False, True], EVEN)
    assert (both.deciding, both.score) == (1, EVEN.score(0.2))


def test_no_window_supports_a_number_that_none_gives() -> None:
    """A claim that states a number of no context is not supported, however sure the model is; it may be contradicted."""
    sure = judge_claim([probability(0.99)], [True], EVEN, founded=False)
    assert (sure.verdict, sure.score) == (Verdict.UNSUPPORTED, EVEN.score(UNFOUNDED))
    against = judge_claim([probability(0.9), probability(0.1, 0.8)], [True, True], EVEN, founded=False)
    assert (against.verdict, against.deciding) == (Verdict.CONTRADICTED, 1)


def test_what_comes_after_the_accepted_changes_nothing() -> None:
    """The first window that is accepted decides, though a later one entails more."""
    assert judged([probability(0.3), probability(0.9), probability(0.99)]).deciding == 1


def test_unsupported_names_the_nearest_window() -> None:
    """With nothing decided, the window of the highest entailment is the evidence."""
    judgement = judged([probability(0.1), probability(0.3)])
    assert (judgement.verdict, judgement.deciding) == (Verdict.UNSUPPORTED, 1)


def test_balanced_point_is_not_supported() -> None:
    """A score of exactly 0.5 reaches the balanced threshold and is not supported."""
    assert judged([probability(0.5)]).verdict is Verdict.UNSUPPORTED


def test_response_is_as_bad_as_its_worst_claim() -> None:
    """The score is the worst claim's; not checkable claims count nowhere; the threshold itself flags."""
    scored = judge_response([claim(0.2), claim(None), claim(0.8)], 0.8, 7)
    assert (scored.score, scored.flagged, scored.claims_checked, scored.claims_flagged) == (0.8, True, 2, 1)
    assert (scored.pairs, scored.threshold, len(scored.claims)) == (7, 0.8, 3)
