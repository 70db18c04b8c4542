"""What a sampling policy would have made of the traffic of before, told from the samples that there are. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from service.core.budget import lowered
from service.core.estimate import effective_n
from service.core.intervals import interval
from service.core.policy import Policy

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """A sample of before: what the policy would have known of it, and what it turned out to be."""

    fields: Mapping[str, str]
    weight: float  # submissions that it stands for
    flagged: bool | None  # None: not scored
    received_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Stratum:
    """What becomes of one stratum."""

    name: str
    probability: float  # the rate that the policy names, or what the budget leaves of it
    submissions: float  # in the time, estimated
    samples: float  # expected
    flagged_rate: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulated:
    """What becomes of all."""

    strata: tuple[Stratum, ...]
    submissions: float
    samples: float  # expected
    uncovered: float  # submissions without a chance
    rows: int  # samples of before that this is told from
    rate: float | None  # flagged, by the samples of before
    width: float | None  # expected, of the 95% interval of the flagged rate over the time
    scale: float  # on all rates, by the budget; 1 without one


def simulate(policy: Policy, past: Iterable[Past], periods: float, tenant: str) -> Simulated:
    """Applies the policy; `periods`: of the budget, in the time that the samples are from, if traffic were even."""
    rows = [(row, *policy.stratum(row.fields)) for row in past]
    wanted = sum(row.weight * rate for row, _, rate in rows)
    budget = policy.sampling.budget
    scale = 1.0
    if budget is not None and wanted:
        scale = min(1.0, budget.of(tenant).most * periods / wanted)
    held: dict[tuple[str, float], list[Past]] = defaultdict(list)
    for row, name, rate in rows:
        held[name, rate].append(row)
    left = {rate: lowered(rate, scale, budget.floor) if budget else rate for _, rate in held}
    strata = []
    for (name, rate), own in held.items():
        submissions = sum(row.weight for row in own)
        strata.append(
            Stratum(
                name=name,
                probability=left[rate],
                submissions=submissions,
                samples=submissions * left[rate],
                flagged_rate=_rate(own),
            )
        )
    flagged, width = _width([(row, left[rate]) for row, _, rate in rows])
    return Simulated(
        strata=tuple(sorted(strata, key=lambda each: -each.submissions)),
        submissions=sum(each.submissions for each in strata),
        samples=sum(each.samples for each in strata),
        uncovered=sum(each.submissions for each in strata if each.probability == 0),
        rows=len(rows),
        rate=flagged,
        width=width,
        scale=scale,
    )


def _rate(rows: Iterable[Past]) -> float | None:
    scored = [row for row in rows if row.flagged is not None]
    total = sum(row.weight for row in scored)
    return sum(row.weight for row in scored if row.flagged) / total if total else None


def _width(rows: Iterable[tuple[Past, float]]) -> tuple[float | None, float | None]:
    """The flagged rate of what is covered, and the width that its interval would have had.

    A sample of before stands for w submissions, of which the new policy takes each with p: a part of w / p (k - R)^2 of
    the variance, as in `service.core.estimate`.
    """
    covered = [(row, p) for row, p in rows if p > 0 and row.flagged is not None]
    rate = _rate(row for row, _ in covered)
    if rate is None:
        return None, None
    total = sum(row.weight for row, _ in covered)
    variance = sum(row.weight / p * (bool(row.flagged) - rate) ** 2 for row, p in covered) / total**2
    kish = total**2 / sum(row.weight / p for row, p in covered)
    n = effective_n(rate * (1 - rate), variance, units=kish, whole=kish, shown=0.0)
    low, high = interval(rate, n, CONFIDENCE)
    return rate, high - low
