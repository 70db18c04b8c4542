"""What a reader of a comparison must know beside its figures, a sentence each. Pure."""

from collections.abc import Sequence

from service.core.golden.comparison_schemas import DeclinedAnswer, EndpointAnswer
from service.core.golden.known import unheld
from service.core.golden.record import RunRecord, TargetKind
from service.core.golden.runtime import is_moved


def scored_by_two(baseline: RunRecord, candidate: RunRecord) -> bool:
    """Whether two scorers looked at an application, so that its flags cannot be compared."""
    return candidate.kind is TargetKind.APPLICATION and baseline.fingerprint != candidate.fingerprint


def notes_on(
    baseline: RunRecord, candidate: RunRecord, told: Sequence[EndpointAnswer], declined: DeclinedAnswer
) -> list[str]:
    """Of two runs by what was made of them: `told` by endpoint, and answers with nothing to check."""
    notes = []
    if scored_by_two(baseline, candidate):
        notes.append("Two scorers looked at the answers, so their flags cannot be compared: score both by one.")
    if candidate.pending or baseline.pending:
        notes.append(f"{candidate.pending + baseline.pending} answers are not scored yet.")
    if unknown := sum(each.unknown for each in told):
        notes.append(
            f"Items of which something is unknown: {unknown}. It counts against `no worse` and against `worse`."
        )
    notes += [f"The set has no items for {each.name}: nothing is said of it." for each in told if not each.items]
    if declined.difference.ci_low > 0 and candidate.kind is TargetKind.APPLICATION:
        notes.append("The candidate declines to answer more often. What says nothing makes nothing up.")
    if why := unheld(baseline.known_answers, candidate.known_answers):
        notes.append(f"Whether the scorer still has the known answers is not compared: {why}.")
    if is_moved(baseline.runtime, candidate.runtime):
        notes.append(
            "Not all was scored on one kind of processor with one version of the scorer's library. These round "
            "differently, which turns some flags close to the threshold"
            + (": a derived margin allows for it." if candidate.kind is TargetKind.SCORER else ".")
        )
    if baseline.repeats != candidate.repeats:
        notes.append(f"Repeats of an item: {baseline.repeats} in the baseline, {candidate.repeats} in the candidate.")
    return notes
