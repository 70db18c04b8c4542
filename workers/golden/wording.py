"""The words of golden reports: one place, so that terminal, HTML, JUnit and Markdown never say different things. Pure."""

from collections.abc import Iterable, Sequence

from service.core.golden.comparison_schemas import ComparisonAnswer, Endpoint, EndpointAnswer
from service.core.golden.gate import Verdict
from service.core.golden.record import KnownAnswers, RunRecord, TargetKind
from service.core.golden.summary import EndpointRate, SummaryAnswer

HEADS = {Verdict.NO_WORSE: "No worse", Verdict.WORSE: "Worse", Verdict.CANNOT_TELL: "Cannot tell yet"}
NOT_COMPARED, BELOW_FLOOR = "Not compared", "Below its floor"
IF_BROKEN = "See what changed: its model, threshold or libraries. If that was meant, accept this run as the baseline."
UNKNOWN = "unknown"
NAMES = {
    Endpoint.MISSED: "missed hallucinations",
    Endpoint.FALSE_ALARMS: "false alarms",
    Endpoint.MADE_UP: "flagged answers",
}
SHARES = {
    TargetKind.SCORER: "wrong",
    TargetKind.APPLICATION: "flagged",
}  # what is bad in a category, over all endpoints
_THINGS = {
    Endpoint.MISSED: "hallucinated item",
    Endpoint.FALSE_ALARMS: "supported item",
    Endpoint.MADE_UP: "question",
}
_ARE = {
    Endpoint.MISSED: "are missed",
    Endpoint.FALSE_ALARMS: "are flagged",
    Endpoint.MADE_UP: "are flagged as making something up",
}
_BAD = {Endpoint.MISSED: "missed", Endpoint.FALSE_ALARMS: "flagged", Endpoint.MADE_UP: "flagged"}
_GOOD = {Endpoint.MISSED: "found", Endpoint.FALSE_ALARMS: "passed", Endpoint.MADE_UP: "passed"}
_ZERO = "0.0"
_MOST_DIGITS = 4  # after the point, to show on which side of the margin something is


def percent(share: float | None) -> str:
    """A share as a percentage."""
    return UNKNOWN if share is None else f"{share:.1%}"


def margin_points(margin: float) -> str:
    """The margin in points, such as `5` or `3.7`."""
    return f"{100 * margin:.3g}"


def points(share: float | None, margin: float) -> str:
    """A difference in points, signed. It has more than one digit only where it would look like the margin else."""
    if share is None:
        return UNKNOWN
    digits = _digits(share, margin)
    return _ZERO if round(100 * share, digits) == 0 else f"{100 * share:+.{digits}f}"


def span(low: float, high: float, margin: float) -> str:
    """An interval of a difference, in points."""
    return f"{points(low, margin)} to {points(high, margin)}"


def counted(number: int, noun: str) -> str:
    """`1 item`, `2 items`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str], most: int = 10) -> str:
    """Names with commas, of many the first and how many more."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def outcome(endpoint: Endpoint, share: float | None) -> str:
    """What became of an item in one run: `found`, `missed`, or `missed in 33%` of its repeats."""
    if share is None:
        return UNKNOWN
    if share in {0, 1}:
        return (_BAD if share else _GOOD)[endpoint]
    return f"{_BAD[endpoint]} in {share:.0%}"


def verdict_reason(comparison: ComparisonAnswer, baseline: RunRecord, candidate: RunRecord) -> str:
    """Why the verdict is what it is: a sentence without its first word's capital and without a full stop."""
    verdict, margin = comparison.verdict, comparison.margin
    telling = [each for each in comparison.endpoints if each.items and each.verdict is verdict]
    blocked = [*_blocked(baseline, candidate), *(lost.words for lost in comparison.known_lost)]
    if verdict is Verdict.CANNOT_TELL and blocked:
        return "; ".join(blocked)
    words = {Verdict.NO_WORSE: _no_worse, Verdict.WORSE: _worse, Verdict.CANNOT_TELL: _open}[verdict]
    told = [words(each, margin) for each in telling]
    if told:
        told[-1] += f" (margin {margin_points(margin)} points)"
    elif not comparison.known_lost:
        return "the two runs have no item in common that counts"
    return "; ".join([*(lost.words for lost in comparison.known_lost), *told])


def known_answers_words(known: KnownAnswers | None) -> str:
    """How many known answers a scorer has right; empty where it was not asked."""
    if known is None:
        return ""
    halves = (known.hallucinated, known.supported)
    right, items, unknown = (sum(getattr(each, name) for each in halves) for name in ("right", "items", "unknown"))
    return f"{right:,} of {items:,} known answers right" + (f"; {unknown:,} could not be scored" if unknown else "")


def rates_reason(summary: SummaryAnswer) -> str:
    """What a run says by itself, likewise."""
    return "; ".join(_rate(each, summary.confidence) for each in summary.endpoints if each.items) or "no item counts"


def margin_sentence(comparison: ComparisonAnswer) -> str:
    """Where the margin comes from."""
    by = "was given" if comparison.margin_given else "was derived from the number of items and repeats"
    return f"The margin, {margin_points(comparison.margin)} points, {by}."


def interval_sentence(confidence: float, kind: TargetKind, what: str) -> str:
    """What an interval of `what` means."""
    right = "the labels are right" if kind is TargetKind.SCORER else "each flag is right"
    return (
        f"If the set were drawn anew many times, the interval would hold the true {what} in {100 * confidence:.3g} of 100;"
        f" it covers chance alone, not whether the items are like your traffic or {right}."
    )


def error_sentence(comparison: ComparisonAnswer) -> str:
    """How often a verdict errs."""
    return f"A verdict is wrong in at most {100 * comparison.alpha:.3g} of 100 runs."


def _digits(share: float, margin: float) -> int:
    for digits in range(1, _MOST_DIGITS):
        if share == margin or f"{100 * share:.{digits}f}" != f"{100 * margin:.{digits}f}":
            return digits
    return _MOST_DIGITS


def _side(share: float, margin: float) -> str:
    size = points(share, margin).lstrip("+-")
    return f"{size} points {'fewer' if share < 0 else 'more'}"


def _of(name: Endpoint, items: int) -> str:
    things = counted(items, _THINGS[name])
    return f"of the answers to {things}" if name is Endpoint.MADE_UP else f"of {things}"


def _no_worse(each: EndpointAnswer, margin: float) -> str:
    high = each.difference.ci_high
    bound = "at least" if high < 0 else "at most"
    return f"{_of(each.name, each.items)}, {bound} {_side(high, margin)} {_ARE[each.name]}"


def _worse(each: EndpointAnswer, margin: float) -> str:
    guess = "" if each.difference.value is None else f", by the best guess {points(each.difference.value, margin)}"
    return f"{_of(each.name, each.items)}, at least {_side(each.difference.ci_low, margin)} {_ARE[each.name]}{guess}"


def _open(each: EndpointAnswer, margin: float) -> str:
    between = _between(each.difference.ci_low, each.difference.ci_high, margin)
    return f"{_of(each.name, each.items)}, {between} {_ARE[each.name]}; {_would_decide(each)}"


def _between(low: float, high: float, margin: float) -> str:
    sizes = [points(share, margin).lstrip("+-") for share in (low, high)]
    if high <= 0 or (low < 0 and sizes[1] == _ZERO):
        return f"between {sizes[1]} and {sizes[0]} points fewer"
    if low >= 0 or sizes[0] == _ZERO:
        return f"between {sizes[0]} and {sizes[1]} points more"
    return f"between {sizes[0]} points fewer and {sizes[1]} points more"


def _would_decide(each: EndpointAnswer) -> str:
    ways = []
    if each.items_needed is not None and each.items_needed > each.items:
        ways.append(f"about {each.items_needed:,} items")
    if each.repeats_needed is not None:
        ways.append(f"{each.repeats_needed} repeats of these")
    if ways:
        return ", or ".join(ways) + ", would decide" if len(ways) > 1 else ways[0] + " would decide"
    if each.unknown:
        return f"what is unknown of {counted(each.unknown, 'item')} keeps it open"
    return "no number of items like these is known to decide"


def _blocked(baseline: RunRecord, candidate: RunRecord) -> Iterable[str]:
    """Why nothing can be told, whatever the differences are."""
    if candidate.kind is TargetKind.APPLICATION and baseline.fingerprint != candidate.fingerprint:
        yield "two scorers looked at the answers, and their flags cannot be compared"
    if pending := candidate.pending + baseline.pending:
        yield f"{counted(pending, 'answer')} {'is' if pending == 1 else 'are'} not scored yet"


def _rate(each: EndpointRate, confidence: float) -> str:
    if each.rate is None:
        return f"{_of(each.name, each.items)} nothing is known"
    interval = f"{100 * confidence:.3g}% interval {percent(each.ci_low)} to {percent(each.ci_high)}"
    return f"{_of(each.name, each.items)}, {percent(each.rate)} {_ARE[each.name]} ({interval})"
