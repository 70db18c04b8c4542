"""What one run says by itself, without a baseline: its rates with intervals, by endpoint and category. Pure."""

import math
from collections import defaultdict
from collections.abc import Sequence

from pydantic import BaseModel

from service.core.golden.compare import ENDPOINTS, endpoint_of, repeats_of
from service.core.golden.comparison_schemas import Endpoint
from service.core.golden.gate import Repeats
from service.core.golden.record import AnswerState, RunRecord
from service.core.intervals import interval

CONFIDENCE = 0.95


class EndpointRate(BaseModel):
    """The bad share of one endpoint's items. Null where nothing is known."""

    name: Endpoint
    items: int
    unknown: int  # items of which a repeat is not known; the rate leaves these repeats out
    rate: float | None
    ci_low: float | None  # sampling error of items alone
    ci_high: float | None
    bound_low: float | None  # if all that is unknown were good
    bound_high: float | None  # if all that is unknown were bad


class CategoryRate(BaseModel):
    """The bad share of one category's items, of all endpoints."""

    name: str
    items: int
    rate: float | None


class SummaryAnswer(BaseModel):
    """One run."""

    endpoints: list[EndpointRate]
    categories: list[CategoryRate]
    answers: dict[AnswerState, int]  # answers by state; those of all repeats
    reasons: dict[str, int]  # of answers that are not scored, `state: reason`
    declined_rate: float | None  # share of answers with nothing to check, of those known
    flake_rate: float | None  # probability that two repeats of an item differ; null: no repeats
    confidence: float = CONFIDENCE

    @property
    def known(self) -> bool:
        """Whether anything is known: of one item that counts, at least."""
        return any(each.rate is not None for each in self.endpoints)


def summarise(record: RunRecord) -> SummaryAnswer:
    """The rates of a run; pending answers are unknown."""
    held: dict[Endpoint, list[Repeats]] = {name: [] for name in ENDPOINTS[record.kind]}
    categories: dict[str, list[Repeats]] = defaultdict(list)
    for each in record.items:
        endpoint = endpoint_of(record.kind, each.item)
        if endpoint is not None:
            found = repeats_of(endpoint, each)
            held[endpoint].append(found)
            categories[each.item.category].append(found)
    answers = [answer for each in record.items for answer in each.answers]
    declined = [silent for answer in answers if (silent := answer.declined) is not None]
    flakes = [flake for found in held.values() for each in found if (flake := each.flake) is not None]
    reasons: dict[str, int] = defaultdict(int)
    for answer in answers:
        if answer.reason:
            reasons[f"{answer.state}: {answer.reason}"] += 1
    return SummaryAnswer(
        endpoints=[_endpoint(name, found) for name, found in held.items()],
        categories=[_category(name, categories[name]) for name in sorted(categories)],
        answers={state: sum(answer.state is state for answer in answers) for state in AnswerState},
        reasons=dict(sorted(reasons.items())),
        declined_rate=sum(declined) / len(declined) if declined else None,
        flake_rate=math.fsum(flakes) / len(flakes) if flakes else None,
    )


def _endpoint(name: Endpoint, found: Sequence[Repeats]) -> EndpointRate:
    shares = [share for each in found if (share := each.share) is not None]
    rate = math.fsum(shares) / len(shares) if shares else None
    low, high = (None, None) if rate is None else interval(rate, len(shares), CONFIDENCE)
    return EndpointRate(
        name=name,
        items=len(found),
        unknown=sum(each.unknown > 0 for each in found),
        rate=rate,
        ci_low=low,
        ci_high=high,
        bound_low=math.fsum(each.bad / each.number for each in found) / len(found) if found else None,
        bound_high=math.fsum((each.bad + each.unknown) / each.number for each in found) / len(found) if found else None,
    )


def _category(name: str, found: Sequence[Repeats]) -> CategoryRate:
    shares = [share for each in found if (share := each.share) is not None]
    return CategoryRate(name=name, items=len(found), rate=math.fsum(shares) / len(shares) if shares else None)
