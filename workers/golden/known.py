"""Asking a scorer what it must know: the probes, once in a run."""

from datetime import date

from models.types import Scorer
from service.core.golden.known import count_known
from service.core.golden.probes import is_right, probes_on
from service.core.golden.record import KnownAnswers
from service.core.golden.sets import GoldenSet
from workers.golden.scoring_answers import score_answers


def known_answers(scorer: Scorer, probes: GoldenSet, day: date) -> KnownAnswers:
    """What it has right of those that count on that day; what it cannot score is unknown."""
    items = probes_on(probes, day)
    records = score_answers(scorer, [(item, item.response or "") for item in items])
    right = {item.id: is_right(item, record) for item, record in zip(items, records, strict=True)}
    return count_known(probes.items, right)
