"""The words of golden reports for what they do not cover: items left out, answers that nothing is known of, notes. Pure."""

from collections.abc import Iterator, Sequence

from service.core.golden.comparison_schemas import ComparisonAnswer, DeclinedAnswer
from service.core.golden.record import AnswerState, RunRecord, TargetKind
from service.core.golden.summary import SummaryAnswer
from workers.golden.wording import counted, listed, percent, points, span

STATES = {
    AnswerState.PENDING: "not scored yet",
    AnswerState.SCORED: "scored",
    AnswerState.NOT_APPLICABLE: "nothing to check",
    AnswerState.UNSCORED: "could not be scored",
    AnswerState.FAILED: "no answer came",
}
QUARANTINED = "quarantined: it counts for nothing"
NEW = "new: the baseline does not have it"
GONE = "missing: only the baseline has it"
CHANGED = "changed since the baseline"
UNLABELLED = "without a label"
_MOST_REASONS = 10


def left_out(comparison: ComparisonAnswer) -> dict[str, str]:
    """Ids of all items that a comparison leaves out, each with why."""
    out = comparison.left_out
    kinds = (
        (out.only_baseline, GONE),
        (out.only_candidate, NEW),
        (out.unlabelled, UNLABELLED),
        (out.changed, CHANGED),
        (out.quarantined, QUARANTINED),
    )
    return {name: why for names, why in kinds for name in names}


def gaps(
    comparison: ComparisonAnswer | None, summary: SummaryAnswer, candidate: RunRecord, quarantined: Sequence[str]
) -> list[str]:
    """A sentence for each thing that a reader must know of and the figures do not tell."""
    found = list(_answers(summary))
    if comparison is None:
        unlabelled = len(candidate.items) - len(quarantined) - sum(each.items for each in summary.endpoints)
        left = [f"{counted(unlabelled, 'item')} left out, without a label."] if unlabelled else []
        return [*_left_out(quarantined, "quarantined"), *left, *found]
    notes = comparison.notes[len(comparison.known_lost) :]  # the first ones are the verdict's own reason
    return [*_items(comparison), *notes, *found, *_declined(comparison)]


def _items(comparison: ComparisonAnswer) -> Iterator[str]:
    out = comparison.left_out
    for names, why in (
        (out.quarantined, "quarantined"),
        (out.changed, CHANGED),
        (out.only_candidate, "new, which the baseline does not have"),
        (out.only_baseline, "missing, which only the baseline has"),
        (out.unlabelled, UNLABELLED),
    ):
        yield from _left_out(names, why)


def _left_out(names: Sequence[str], why: str) -> Iterator[str]:
    if names:
        yield f"{counted(len(names), 'item')} left out, {why}: {listed(names)}."


def _answers(summary: SummaryAnswer) -> Iterator[str]:
    total = sum(summary.answers.values())
    for state in (AnswerState.FAILED, AnswerState.UNSCORED, AnswerState.NOT_APPLICABLE, AnswerState.PENDING):
        number = summary.answers.get(state, 0)
        if number:
            reasons = _reasons(summary, state)
            yield f"{number:,} of {counted(total, 'answer')} of the candidate: {STATES[state]}{reasons}."


def _reasons(summary: SummaryAnswer, state: AnswerState) -> str:
    start = f"{state}: "
    found = [(number, name[len(start) :]) for name, number in summary.reasons.items() if name.startswith(start)]
    told = [f"{name} {number:,}" for number, name in sorted(found, key=lambda each: (-each[0], each[1]))]
    return f" ({listed(told, _MOST_REASONS)})" if told else ""


def _declined(comparison: ComparisonAnswer) -> Iterator[str]:
    found: DeclinedAnswer = comparison.declined
    if comparison.kind is TargetKind.APPLICATION and (found.baseline or found.candidate):
        margin, difference = comparison.margin, found.difference
        yield (
            f"Answers with nothing to check, mostly refusals: {percent(found.baseline)} by the baseline, "
            f"{percent(found.candidate)} by the candidate; difference {points(difference.value, margin)} points "
            f"({span(difference.ci_low, difference.ci_high, margin)})."
        )
