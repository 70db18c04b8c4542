"""The comparison of two runs over the same set, item by item. Pure."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from service.core.errors import GoldenRunsDifferError
from service.core.golden.comparison_schemas import (
    CategoryAnswer,
    ComparisonAnswer,
    DeclinedAnswer,
    DifferenceAnswer,
    Endpoint,
    EndpointAnswer,
    FlakyAnswer,
    FlippedAnswer,
    LeftOutAnswer,
)
from service.core.golden.gate import (
    ALPHA,
    Difference,
    Pair,
    Repeats,
    Verdict,
    decide,
    paired_difference,
    tail_of,
    together,
)
from service.core.golden.item import GoldenItem
from service.core.golden.known import KnownLost, lost_since
from service.core.golden.notes import notes_on, scored_by_two
from service.core.golden.power import default_margin, expected_flakes, items_needed, repeats_needed
from service.core.golden.record import AnswerRecord, ItemRecord, RunRecord, TargetKind
from service.core.golden.significance import holm, sign_test

ENDPOINTS = {
    TargetKind.SCORER: (Endpoint.MISSED, Endpoint.FALSE_ALARMS),
    TargetKind.APPLICATION: (Endpoint.MADE_UP,),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """An item in both runs."""

    item: GoldenItem
    endpoint: Endpoint
    pair: Pair
    declined: Pair


def endpoint_of(kind: TargetKind, item: GoldenItem) -> Endpoint | None:
    """What an item counts for; None where a scorer's item has no label."""
    if kind is TargetKind.APPLICATION:
        return Endpoint.MADE_UP
    if item.hallucinated is None:
        return None
    return Endpoint.MISSED if item.hallucinated else Endpoint.FALSE_ALARMS


def bad(endpoint: Endpoint, answer: AnswerRecord) -> bool | None:
    """Whether an answer is one of those that the endpoint counts; None: unknown."""
    made_up = answer.made_up
    return made_up if made_up is None or endpoint is not Endpoint.MISSED else not made_up


def repeats_of(endpoint: Endpoint, record: ItemRecord) -> Repeats:
    """What came of an item in one run."""
    return _count(bad(endpoint, answer) for answer in record.answers)


def endpoint_sizes(kind: TargetKind, items: Iterable[GoldenItem]) -> list[int]:
    """Items of each endpoint."""
    held = [endpoint_of(kind, item) for item in items]
    return [held.count(endpoint) for endpoint in ENDPOINTS[kind]]


def compare(
    baseline: RunRecord, candidate: RunRecord, *, margin: float | None = None, quarantined: Collection[str] = ()
) -> ComparisonAnswer:
    """The candidate against its baseline.

    Args:
        baseline: of the same kind and set.
        candidate: what is to be judged.
        margin: the greatest change for the worse that passes, 0 to 1; derived from the sizes if none is given.
        quarantined: ids of items that count for nothing.

    Raises GoldenRunsDifferError where the two cannot be compared at all.
    """
    _require_comparable(baseline, candidate)
    kind = candidate.kind
    both, left_out = _matched(baseline, candidate, frozenset(quarantined))
    endpoints = ENDPOINTS[kind]
    held = {name: [each.pair for each in both if each.endpoint is name] for name in endpoints}
    repeats = min(baseline.repeats, candidate.repeats)
    sizes = [len(pairs) for pairs in held.values()]
    flakes = expected_flakes(kind, baseline.runtime, candidate.runtime)
    allowed = default_margin(sizes, repeats, flakes) if margin is None else margin
    tail = tail_of(sum(bool(pairs) for pairs in held.values()))
    told = [_endpoint(name, pairs, allowed, tail) for name, pairs in held.items()]
    known = [flake for pairs in held.values() for pair in pairs if (flake := pair.candidate.flake) is not None]
    declined, pending = _declined(both, tail), baseline.pending + candidate.pending
    lost = [] if pending else lost_since(baseline.known_answers, candidate.known_answers)
    return ComparisonAnswer(
        verdict=_verdict(baseline, candidate, [each.verdict for each in told if each.items], lost),
        kind=kind,
        set_name=candidate.set_name,
        baseline_id=baseline.id,
        candidate_id=candidate.id,
        margin=allowed,
        margin_given=margin is not None,
        confidence=1 - 2 * tail,
        alpha=ALPHA,
        flake_rate=math.fsum(known) / len(known) if known else None,
        endpoints=told,
        categories=_categories(both),
        flipped=_flipped(both),
        flaky=_flaky(both),
        declined=declined,
        known_lost=lost,
        left_out=left_out,
        notes=[each.note for each in lost] + notes_on(baseline, candidate, told, declined),
    )


def _require_comparable(baseline: RunRecord, candidate: RunRecord) -> None:
    if baseline.kind is not candidate.kind:
        raise GoldenRunsDifferError(f"One run tested the {baseline.kind}, the other the {candidate.kind}.")
    if baseline.set_name != candidate.set_name:
        raise GoldenRunsDifferError(
            f"One run is of the set {baseline.set_name!r}, the other of {candidate.set_name!r}."
        )


def _verdict(
    baseline: RunRecord, candidate: RunRecord, verdicts: Sequence[Verdict], lost: Sequence[KnownLost]
) -> Verdict:
    """What the endpoints say together; nothing, where two scorers looked at an application, or one that may be broken.

    A scorer that has lost known answers is worse, whatever the set shows of it; one that may have is never no worse.
    """
    if candidate.pending or baseline.pending or scored_by_two(baseline, candidate):
        return Verdict.CANNOT_TELL
    if lost and candidate.kind is TargetKind.APPLICATION:
        return Verdict.CANNOT_TELL
    return together([*verdicts, *(Verdict.WORSE if each.certain else Verdict.CANNOT_TELL for each in lost)])


def _matched(
    baseline: RunRecord, candidate: RunRecord, quarantined: frozenset[str]
) -> tuple[list[Both], LeftOutAnswer]:
    before = {record.item.id: record for record in baseline.items}
    now = {record.item.id: record for record in candidate.items}
    common = [name for name in now if name in before]
    changed = {name for name in common if before[name].digest != now[name].digest}
    unlabelled = {name for name in common if endpoint_of(candidate.kind, now[name].item) is None}
    kept = [name for name in common if name not in changed | unlabelled | quarantined]
    left_out = LeftOutAnswer(
        quarantined=sorted(quarantined & set(common)),
        only_candidate=sorted(set(now) - set(before)),
        only_baseline=sorted(set(before) - set(now)),
        changed=sorted(changed - quarantined),
        unlabelled=sorted(unlabelled - changed - quarantined),
    )
    return [_both(candidate.kind, before[name], now[name]) for name in kept], left_out


def _both(kind: TargetKind, before: ItemRecord, now: ItemRecord) -> Both:
    endpoint = endpoint_of(kind, now.item)
    if endpoint is None:
        raise ValueError("an item without a label")
    return Both(
        item=now.item,
        endpoint=endpoint,
        pair=Pair(baseline=repeats_of(endpoint, before), candidate=repeats_of(endpoint, now)),
        declined=Pair(
            baseline=_count(answer.declined for answer in before.answers),
            candidate=_count(answer.declined for answer in now.answers),
        ),
    )


def _count(found: Iterable[bool | None]) -> Repeats:
    listed = list(found)
    return Repeats(bad=listed.count(True), good=listed.count(False), unknown=listed.count(None))


def _endpoint(name: Endpoint, pairs: Sequence[Pair], margin: float, tail: float) -> EndpointAnswer:
    found = paired_difference(pairs, tail)
    verdict = decide(found, margin)
    open_ = verdict is Verdict.CANNOT_TELL
    return EndpointAnswer(
        name=name,
        items=found.items,
        unknown=found.unknown,
        baseline=_mean(pair.baseline.share for pair in pairs),
        candidate=_mean(pair.candidate.share for pair in pairs),
        difference=_difference(found),
        verdict=verdict,
        items_needed=items_needed(pairs, margin, tail) if open_ else None,
        repeats_needed=repeats_needed(pairs, margin, tail) if open_ else None,
    )


def _difference(found: Difference) -> DifferenceAnswer:
    return DifferenceAnswer(value=found.value, ci_low=found.low, ci_high=found.high)


def _mean(shares: Iterable[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return math.fsum(known) / len(known) if known else None


def _declined(both: Sequence[Both], tail: float) -> DeclinedAnswer:
    pairs = [each.declined for each in both]
    return DeclinedAnswer(
        baseline=_mean(pair.baseline.share for pair in pairs),
        candidate=_mean(pair.candidate.share for pair in pairs),
        difference=_difference(paired_difference(pairs, tail)),
    )


def _flipped(both: Sequence[Both]) -> list[FlippedAnswer]:
    found = [
        FlippedAnswer(
            item=each.item.id,
            category=each.item.category,
            endpoint=each.endpoint,
            baseline=each.pair.baseline.share or 0.0,
            candidate=each.pair.candidate.share or 0.0,
            worse=each.pair.difference > 0,
        )
        for each in both
        if each.pair.difference
    ]
    return sorted(found, key=lambda each: (each.baseline - each.candidate, each.item))


def _flaky(both: Sequence[Both]) -> list[FlakyAnswer]:
    found = [
        FlakyAnswer(item=each.item.id, baseline=each.pair.baseline.flake, candidate=each.pair.candidate.flake)
        for each in both
        if each.pair.baseline.flake or each.pair.candidate.flake
    ]
    return sorted(found, key=lambda each: (-max(each.baseline or 0.0, each.candidate or 0.0), each.item))


def _categories(both: Sequence[Both]) -> list[CategoryAnswer]:
    held: dict[str, list[Pair]] = defaultdict(list)
    for each in both:
        held[each.item.category].append(each.pair)
    p_values = {name: sign_test(pairs) for name, pairs in held.items()}
    adjusted = holm(p_values)
    return [
        CategoryAnswer(
            name=name,
            items=len(pairs),
            baseline=_mean(pair.baseline.share for pair in pairs),
            candidate=_mean(pair.candidate.share for pair in pairs),
            became_worse=sum((pair.difference or 0.0) > 0 for pair in pairs),
            became_better=sum((pair.difference or 0.0) < 0 for pair in pairs),
            p_value=p_values[name],
            p_adjusted=adjusted[name],
            worse=adjusted[name] < ALPHA,
        )
        for name, pairs in sorted(held.items())
    ]
