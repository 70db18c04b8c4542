"""The report of a golden run: what all its forms (terminal, HTML, JUnit, Markdown) are made of. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from service.core.golden.comparison_schemas import ComparisonAnswer
from service.core.golden.gate import Verdict
from service.core.golden.known import BROKEN
from service.core.golden.record import RunRecord, TargetKind
from service.core.golden.summary import SummaryAnswer, summarise
from workers.golden.wording import (
    BELOW_FLOOR,
    HEADS,
    IF_BROKEN,
    NOT_COMPARED,
    error_sentence,
    interval_sentence,
    margin_sentence,
    rates_reason,
    verdict_reason,
)
from workers.golden.wording_gaps import gaps


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One run over one set, with its baseline where it has one."""

    candidate: RunRecord
    summary: SummaryAnswer  # of the candidate, without what is in quarantine
    quarantined: tuple[str, ...]  # ids of its items that are
    baseline: RunRecord | None  # as it was compared: an application's answers as the candidate's scorer sees them
    comparison: ComparisonAnswer | None
    floors_missed: tuple[str, ...] = ()  # sentences
    known_missed: tuple[str, ...] = ()  # sentences: the scorer is below its floor of known answers

    @property
    def verdict(self) -> Verdict | None:
        """What the gate says; who is below a floor is worse, whatever the baseline. None: nothing to compare with.

        What a broken scorer says of an application is nothing, and a run of which nothing is known passes no gate.
        """
        if self.floors_missed or (self.known_missed and self._tests_scorer):
            return Verdict.WORSE
        if self.known_missed:
            return Verdict.CANNOT_TELL
        if self.comparison is not None:
            return self.comparison.verdict
        return None if self.summary.known else Verdict.CANNOT_TELL

    @property
    def head(self) -> str:
        """The verdict in two or three words."""
        if self.known_missed or (self.comparison is not None and any(e.certain for e in self.comparison.known_lost)):
            return BROKEN
        if self.floors_missed:
            return BELOW_FLOOR
        return NOT_COMPARED if self.verdict is None else HEADS[self.verdict]

    @property
    def reason(self) -> str:
        """Why, in sentences; where a floor is missed, also what the comparison says; of a broken scorer also what to do."""
        return f"{self._why} {IF_BROKEN}" if self.head == BROKEN else self._why

    @property
    def _why(self) -> str:
        if not (self.floors_missed or self.known_missed):
            return self._compared
        below = " ".join((*self.known_missed, *self.floors_missed))
        if self.comparison is None:
            return below
        return f"{below} Against the baseline, {HEADS[self.comparison.verdict].lower()}: {self._compared}"

    @property
    def verdict_words(self) -> str:
        """The verdict as a person reads it, in one line."""
        return f"{self.head}: {self.reason}"

    @property
    def meaning(self) -> tuple[str, ...]:
        """What margin and intervals mean, a sentence each."""
        kind, comparison = self.candidate.kind, self.comparison
        if comparison is None:
            return (interval_sentence(self.summary.confidence, kind, "share"),)
        meant = interval_sentence(comparison.confidence, kind, "difference")
        return (meant, error_sentence(comparison), margin_sentence(comparison))

    @property
    def gaps(self) -> list[str]:
        """What the figures do not cover, a sentence each."""
        return gaps(self.comparison, self.summary, self.candidate, self.quarantined)

    @property
    def _tests_scorer(self) -> bool:
        return self.candidate.kind is TargetKind.SCORER

    @property
    def _compared(self) -> str:
        if self.comparison is None or self.baseline is None:
            return f"{rates_reason(self.summary)}."
        return f"{verdict_reason(self.comparison, self.baseline, self.candidate)}."


def make_report(
    candidate: RunRecord,
    baseline: RunRecord | None,
    comparison: ComparisonAnswer | None,
    *,
    floors_missed: tuple[str, ...] = (),
    known_missed: tuple[str, ...] = (),
    quarantined: Collection[str] = (),
) -> Report:
    """The report of a run.

    Args:
        candidate: what was run.
        baseline: the record that `comparison` was made of; None without one.
        comparison: of the two.
        floors_missed: sentences on what of a floor is not reached.
        known_missed: sentences on the scorer's floor of known answers, likewise.
        quarantined: ids of items that count for nothing.
    """
    quarantined = frozenset(quarantined)
    return Report(
        candidate=candidate,
        summary=summarise(candidate.without(quarantined)),
        quarantined=tuple(sorted(quarantined & {each.item.id for each in candidate.items})),
        baseline=baseline,
        comparison=comparison,
        floors_missed=floors_missed,
        known_missed=known_missed,
    )
