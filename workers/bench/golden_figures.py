"""The scorer's figures on one golden set: what it finds and passes, by category, and the order within minimal pairs. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.types import Outcome, Scored, Unscored
from service.core.golden.item import GoldenItem, set_digest
from service.core.golden.sets import GoldenSet
from workers.bench.golden_results import CategoryFigures, SetFigures
from workers.offline.agreement import roc_auc

ALL = "all"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """A set's items and what a scorer says of their responses, in the same order."""

    items: Sequence[GoldenItem]
    outcomes: Sequence[Outcome]

    def score(self, at: int) -> float | None:
        """The score; None where there is none."""
        outcome = self.outcomes[at]
        return outcome.score if isinstance(outcome, Scored) else None


def figures(
    golden: GoldenSet, scores: Scores, name: str, threshold: Callable[[int], float], seconds: float
) -> SetFigures:
    """The figures at a threshold that depends on the number of claims; what has nothing to check passes."""
    flagged = [
        isinstance(outcome, Scored) and outcome.score >= threshold(outcome.claims_checked)
        for outcome in scores.outcomes
    ]
    held: dict[str, list[int]] = defaultdict(list)
    for at, item in enumerate(scores.items):
        held[item.category].append(at)
    everything = range(len(scores.items))
    judged = [at for at in everything if scores.score(at) is not None]
    truth = [int(bool(scores.items[at].hallucinated)) for at in judged]
    auc = roc_auc([scores.score(at) or 0.0 for at in judged], truth)
    overlap = roc_auc([_missing(scores.items[at]) for at in judged], truth)
    if auc is None or overlap is None:
        raise ValueError("a set without both labels")
    return SetFigures(
        name=golden.name,
        digest=set_digest(golden.items),
        threshold=name,
        total=_category(ALL, scores, flagged, everything),
        auc=auc.value,
        auc_low=auc.low,
        auc_high=auc.high,
        overlap_auc=overlap.value,
        unscored=sum(isinstance(outcome, Unscored) for outcome in scores.outcomes),
        seconds=seconds,
        categories=tuple(_category(each, scores, flagged, held[each]) for each in sorted(held)),
    )


def _category(name: str, scores: Scores, flagged: Sequence[bool], places: Sequence[int]) -> CategoryFigures:
    bad = [at for at in places if scores.items[at].hallucinated]
    good = [at for at in places if not scores.items[at].hallucinated]
    twins = {scores.items[at].pair: at for at in good if scores.items[at].pair}
    compared = [
        (worse, better)
        for at in bad
        if (twin := twins.get(scores.items[at].pair)) is not None
        and (worse := scores.score(at)) is not None
        and (better := scores.score(twin)) is not None
        and worse != better
    ]
    return CategoryFigures(
        name=name,
        hallucinated=len(bad),
        found=sum(flagged[at] for at in bad),
        supported=len(good),
        passed=sum(not flagged[at] for at in good),
        pairs=len(compared),
        ordered=sum(worse > better for worse, better in compared),
    )


def _missing(item: GoldenItem) -> float:
    said = set(_WORD.findall((item.response or "").lower()))
    given = {word for context in item.contexts for word in _WORD.findall(context.text.lower())}
    return len(said - given) / max(1, len(said))
