"""The cases of a golden report: items that flipped, with the answer of each run that shows it best. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.types import Verdict
from service.core.golden.compare import bad
from service.core.golden.comparison_schemas import Endpoint, FlippedAnswer
from service.core.golden.item import GoldenItem
from service.core.golden.record import AnswerRecord, AnswerState, ItemRecord, RunRecord
from service.core.sample_schemas import ClaimAnswer
from workers.golden.report import Report
from workers.golden.report_rows import outcomes
from workers.golden.wording_gaps import STATES

WRONG = frozenset({Verdict.CONTRADICTED.value, Verdict.UNSUPPORTED.value})
SIGNS = {
    Verdict.SUPPORTED.value: "✓",
    Verdict.CONTRADICTED.value: "✗",
    Verdict.UNSUPPORTED.value: "?",
    Verdict.NOT_CHECKABLE.value: "–",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """An item in one of the runs."""

    outcome: str  # of all its repeats
    answer: AnswerRecord  # one of them
    response: str  # what was checked; empty where no answer came
    answers: int

    @property
    def claims(self) -> list[ClaimAnswer]:
        """In the order of the text."""
        return sorted(self.answer.claims, key=lambda claim: (claim.start, claim.end))

    @property
    def wrong(self) -> list[ClaimAnswer]:
        """Claims without support."""
        return [claim for claim in self.claims if claim.verdict in WRONG]

    @property
    def standing(self) -> str:
        """What the scorer says of the answer; 1 is bad."""
        answer = self.answer
        if answer.state is not AnswerState.SCORED or answer.score is None or answer.threshold is None:
            return STATES[answer.state] + (f" ({answer.reason})" if answer.reason else "")
        # Four digits where two would not show on which side of the threshold the score is.
        digits = 4 if f"{answer.score:.2f}" == f"{answer.threshold:.2f}" else 2
        flagged = "flagged" if answer.flagged else "not flagged"
        return f"{flagged}: score {answer.score:.{digits}f}, threshold {answer.threshold:.{digits}f}, 1 is bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """An item that the two runs tell differently."""

    flipped: FlippedAnswer
    item: GoldenItem
    before: Side
    now: Side


def cases(report: Report, most: int) -> Iterator[Case]:
    """Those that became worse first."""
    if report.comparison is None or report.baseline is None:
        return
    before, now = _by_id(report.baseline), _by_id(report.candidate)
    for each in report.comparison.flipped[:most]:
        was, told = outcomes(each)
        yield Case(
            flipped=each,
            item=now[each.item].item,
            before=_side(each.endpoint, before[each.item], was, wanted=not each.worse),
            now=_side(each.endpoint, now[each.item], told, wanted=each.worse),
        )


def label_words(item: GoldenItem) -> str:
    """What a reader says of the item's own response."""
    if item.hallucinated is None:
        return "no label"
    return "hallucinated: it makes something up" if item.hallucinated else "supported: all is in the contexts"


def labelled_wrong(item: GoldenItem) -> list[str]:
    """Claims of the item's own response that a reader found without support."""
    return [claim.text for claim in item.claims if claim.verdict.value in WRONG]


def _by_id(record: RunRecord) -> Mapping[str, ItemRecord]:
    return {each.item.id: each for each in record.items}


def _side(endpoint: Endpoint, record: ItemRecord, outcome: str, *, wanted: bool) -> Side:
    answer = _typical(endpoint, record.answers, wanted=wanted)
    response = answer.response if answer.response is not None else _own(record, answer)
    return Side(outcome=outcome, answer=answer, response=response, answers=len(record.answers))


def _own(record: ItemRecord, answer: AnswerRecord) -> str:
    return "" if answer.state is AnswerState.FAILED else record.item.response or ""


def _typical(endpoint: Endpoint, answers: Sequence[AnswerRecord], *, wanted: bool) -> AnswerRecord:
    """The first that shows what changed, else the first that is known."""
    for answer in answers:
        if bad(endpoint, answer) is wanted:
            return answer
    return next((answer for answer in answers if bad(endpoint, answer) is not None), answers[0])
