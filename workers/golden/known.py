"""Asking a scorer what it must know: the probes, once in a run."""

from datetime import date

from models.types import Scorer
from service.core.golden.item import set_digest
from service.core.golden.probes import is_right, probes_on
from service.core.golden.record import KnownAnswers, KnownHalf
from service.core.golden.sets import GoldenSet
from workers.golden.scoring_answers import score_answers


def known_answers(scorer: Scorer, probes: GoldenSet, day: date) -> KnownAnswers:
    """What it has right of those that count on that day; what it cannot score is not right."""
    items = probes_on(probes, day)
    records = score_answers(scorer, [(item, item.response or "") for item in items])
    right = {
        label: [is_right(i, r) is True for i, r in zip(items, records, strict=True) if i.hallucinated is label]
        for label in (True, False)
    }
    halves = {label: KnownHalf(items=len(found), right=sum(found)) for label, found in right.items()}
    return KnownAnswers(set_digest=set_digest(probes.items), hallucinated=halves[True], supported=halves[False])
