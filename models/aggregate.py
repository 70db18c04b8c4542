"""The verdict: from the probabilities of a claim's windows to the claim, and from claims to the response.

Two laws. One more window never raises a claim's score: a claim is supported if ANY window entails it. One more claim
never lowers a response's score: a response is as bad as its worst checked claim.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.calibrate import BALANCED, Calibration
from models.types import ClaimResult, Probability, Scored, Verdict

# Raise with any change to the rules below: it is part of every scorer's fingerprint.
AGGREGATION_VERSION = "6"


# Support for which a window counts at most that is not about the claim. Small models find now and then that such a
# one entails a claim: beside thousands of words, of any claim some do.
UNRELATED = 0.15

# Support for which any window counts at most beside a claim that states a number which no context gives
# (models/numbers.py): models take one number for another, and no window can support what none says.
UNFOUNDED = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What the windows say of one claim."""

    verdict: Verdict  # supported, contradicted or unsupported
    score: float  # 0..1, 1 is bad; below 0.5 exactly when supported
    deciding: int  # position of the window that decided the verdict


def judge_claim(
    probabilities: Sequence[Probability],
    about: Sequence[bool],
    calibration: Calibration,
    *,
    founded: bool = True,
) -> Judgement:
    """The judgement over at least one window, in the order in which they were read; `about` says which speak of the claim.

    `founded` is false for a claim that states a number which no context gives.

    Supported if any window supports the claim so much that its calibrated score is below 0.5; else contradicted if
    contradiction is the likeliest class of some window that is about the claim (never for a model that cannot tell);
    else unsupported. The first window wins a tie, and support from `calibration.accepted` on is all alike: what comes
    after the first window that is accepted changes nothing.
    """
    counted = [
        min(calibration.support(probability), ceiling(about=speaks, founded=founded))
        for probability, speaks in zip(probabilities, about, strict=True)
    ]
    best = max(range(len(counted)), key=lambda window: min(counted[window], calibration.accepted))
    score = calibration.score(counted[best])
    if score < BALANCED:
        return Judgement(verdict=Verdict.SUPPORTED, score=score, deciding=best)
    against = [
        window for window, probability in enumerate(probabilities) if about[window] and _contradicts(probability)
    ]
    if against:
        worst = max(against, key=lambda window: probabilities[window].contradiction or 0.0)
        return Judgement(verdict=Verdict.CONTRADICTED, score=score, deciding=worst)
    return Judgement(verdict=Verdict.UNSUPPORTED, score=score, deciding=best)


def ceiling(*, about: bool, founded: bool) -> float:
    """Support for which a window counts at most beside a claim."""
    return min(1.0 if about else UNRELATED, 1.0 if founded else UNFOUNDED)


def judge_response(claims: Sequence[ClaimResult], threshold: float, pairs: int) -> Scored:
    """The response's outcome from its claims, at least one of which has a score."""
    scores = [claim.score for claim in claims if claim.score is not None]
    score = max(scores)
    return Scored(
        score=score,
        flagged=score >= threshold,
        threshold=threshold,
        claims=tuple(claims),
        claims_checked=len(scores),
        claims_flagged=sum(claim >= threshold for claim in scores),
        pairs=pairs,
    )


def _contradicts(probability: Probability) -> bool:
    against = probability.contradiction
    return against is not None and against > max(probability.entailment, probability.neutral or 0.0)
