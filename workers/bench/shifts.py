"""The shift: what a change of an item did to the verdicts of its claims, counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.calibrate import BALANCED
from models.types import ClaimResult, Outcome, Scored
from workers.bench.robustness_results import Shift


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A response before and after; its claims are the same, and their places in the response."""

    before: Scored
    after: Outcome


def checked(outcome: Outcome) -> list[ClaimResult]:
    """The claims of a response that have a score."""
    return [claim for claim in outcome.claims if claim.score is not None] if isinstance(outcome, Scored) else []


def score_of(claim: ClaimResult) -> float:
    """The score of a checked claim."""
    if claim.score is None:
        raise ValueError("not a checked claim")
    return claim.score


def count_shift(name: str, changes: Iterable[Change], strict: float) -> Shift:
    """What became of the claims; one whose sentence is another now, or whose response has no score, is missing."""
    pairs: list[tuple[ClaimResult, ClaimResult]] = []
    missing = 0
    for change in changes:
        after = {(claim.start, claim.end): claim for claim in checked(change.after)}
        for claim in checked(change.before):
            found = after.get((claim.start, claim.end))
            if found is None:
                missing += 1
            else:
                pairs.append((claim, found))
    return _count(name, pairs, missing, strict)


def _count(name: str, pairs: Sequence[tuple[ClaimResult, ClaimResult]], missing: int, strict: float) -> Shift:
    scores = [(score_of(before), score_of(after)) for before, after in pairs]
    return Shift(
        name=name,
        claims=len(scores),
        supported=sum(before < BALANCED for before, _ in scores),
        supported_after=sum(after < BALANCED for _, after in scores),
        doubted=sum(before < BALANCED <= after for before, after in scores),
        flagged=sum(before < BALANCED and after >= strict for before, after in scores),
        passed=sum(before < strict for before, _ in scores),
        newly_flagged=sum(before < strict <= after for before, after in scores),
        cleared=sum(after < strict <= before for before, after in scores),
        admitted=sum(after < BALANCED <= before for before, after in scores),
        raised=sum(before < after for before, after in scores),
        changed=sum((one.verdict, one.score) != (two.verdict, two.score) for one, two in pairs),
        greatest_rise=max((after - before for before, after in scores if after > before), default=0.0),
        missing=missing,
    )
