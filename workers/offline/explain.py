"""The explanation of a row: its response with every claim marked, and for each the evidence. Readable without colour."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from models.numbers import given_numbers, missing_numbers
from models.phrases import plain
from models.types import Verdict
from service.core.evidence_schemas import EvidenceAnswer
from service.core.sample_schemas import ClaimAnswer
from service.core.schemas import Submission
from service.core.submitted import context_ids
from service.core.tables import State
from service.core.visible import visible
from workers.offline.answer import ErrorAnswer, RowAnswer
from workers.offline.shape import Row

COLOURS = {
    Verdict.SUPPORTED: "green",
    Verdict.CONTRADICTED: "bold red",
    Verdict.UNSUPPORTED: "yellow",
    Verdict.NOT_CHECKABLE: "dim",
}
SIGNS = {Verdict.SUPPORTED: "✓", Verdict.CONTRADICTED: "✗", Verdict.UNSUPPORTED: "?"}
UNCHECKED = "[-]"
LEFT_OUT = "… "
MAX_ID_CHARS = 80
MAX_QUESTION_CHARS = 200
MAX_RESPONSE_CHARS = 3_000  # a longer one is shown by its listed claims alone
MAX_CLAIM_CHARS = 400
MAX_EVIDENCE_CHARS = 500
AROUND_CHARS = 80  # of the context before the evidence, and after it
MAX_CLAIMS = 20  # of one response


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """A claim as it is shown."""

    claim: ClaimAnswer
    verdict: Verdict
    mark: str  # in the response and in the list: a sign of the verdict, and a number in the order of the text
    listed: bool

    @property
    def style(self) -> str:
        """The colour of its verdict."""
        return COLOURS[self.verdict]


def explain(row: Row, answer: RowAnswer | ErrorAnswer) -> Group:
    """What a person reads of one row; long texts and many claims are cut, and say so."""
    name = visible(row.id, MAX_ID_CHARS) if row.id else f"line {row.line}"
    if isinstance(answer, ErrorAnswer):
        problem = answer.problem
        field = f"{problem.field}: " if problem.field else ""
        text = Text(visible(f"error: {field}{problem.detail} {problem.next_step}", MAX_CLAIM_CHARS), style="red")
        return Group(_rule(name), text)
    parts: list[Rule | Text | Table | Padding] = [_rule(f"{name}  {_standing(answer)}")]
    if isinstance(row.content, Submission):
        if row.content.question:
            parts.append(Text(f"question: {visible(row.content.question, MAX_QUESTION_CHARS)}", style="dim"))
        claims = _marked(answer.claims)
        if claims:
            parts.append(Padding(_response(row.content.response, claims), (1, 0, 1, 2)))
            parts += [*_list(claims, row.content), Text()]
    return Group(*parts)


def _rule(title: str) -> Rule:
    return Rule(Text(title), align="left", characters="-", style="dim")


def _standing(answer: RowAnswer) -> str:
    if answer.status != State.SCORED or answer.score is None or answer.threshold is None:
        return f"{answer.status} ({answer.reason})"
    flagged = "flagged" if answer.flagged else "not flagged"
    digits = 4 if f"{answer.score:.2f}" == f"{answer.threshold:.2f}" else 2  # it shows on which side the score is
    return f"{flagged}: score {answer.score:.{digits}f}, threshold {answer.threshold:.{digits}f}, 1 is bad"


def _marked(claims: Sequence[ClaimAnswer]) -> list[Marked]:
    """All claims in the order of the text; of many the worst are listed."""
    in_order = sorted(claims, key=lambda claim: claim.start)
    checked = [claim for claim in in_order if claim.score is not None]
    worst = sorted(checked, key=lambda claim: claim.score or 0.0, reverse=True)[:MAX_CLAIMS]
    listed = {id(claim) for claim in worst}
    found: list[Marked] = []
    number = 0
    for claim in in_order:
        verdict = Verdict(claim.verdict)
        number += verdict in SIGNS
        mark = f"[{SIGNS[verdict]}{number}]" if verdict in SIGNS else UNCHECKED
        found.append(Marked(claim=claim, verdict=verdict, mark=mark, listed=id(claim) in listed))
    return found


def _response(response: str, claims: Sequence[Marked]) -> Text:
    """The response's own text with every claim marked; what is not listed is left out of a long one."""
    whole = len(response) <= MAX_RESPONSE_CHARS
    shown = Text()
    end = 0
    for marked in claims:
        start = marked.claim.start
        _add(shown, response[end:start], "dim", whole=whole)
        end = max(end, marked.claim.end)
        text = response[start : marked.claim.end]
        if whole or marked.listed:
            shown.append(f"{marked.mark} ", style=marked.style)
            shown.append(_displayed(text, MAX_RESPONSE_CHARS if whole else MAX_CLAIM_CHARS), style=marked.style)
        else:
            _add(shown, text, "dim", whole=False)
    _add(shown, response[end:], "dim", whole=whole)
    shown.rstrip()
    return shown


def _add(shown: Text, text: str, style: str, *, whole: bool) -> None:
    """Adds what is no listed claim, or in place of several of them one sign that they were left out."""
    if whole:
        shown.append(_displayed(text, MAX_RESPONSE_CHARS), style=style)
    elif not shown.plain.endswith(LEFT_OUT):
        shown.append(LEFT_OUT if text.strip() else " ", style=style)


def _displayed(text: str, limit: int) -> str:
    return visible(re.sub(r"\n{3,}", "\n\n", text.replace("\r\n", "\n")), limit)


def _list(claims: Sequence[Marked], submission: Submission) -> Iterator[Table | Text]:
    listed = [marked for marked in claims if marked.listed]
    table = Table(box=None, show_header=False, padding=(0, 2, 1, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    indent = max((len(marked.mark) for marked in listed), default=0) + 1
    given = given_numbers((submission.question or "", *(each.text for each in submission.contexts)))
    for marked in listed:
        missing = missing_numbers(plain(marked.claim.text or ""), given)
        table.add_row(_figures(marked, indent), _evidence(marked, submission, missing))
    if listed:
        yield table
    more = sum(marked.verdict in SIGNS for marked in claims) - len(listed)
    if more:
        yield Text(f"\nand {more} more claims, none worse", style="dim")
    if any(marked.mark == UNCHECKED for marked in claims):
        yield Text(f"\n{UNCHECKED} not checkable: nothing that a context could support", style="dim")


def _figures(marked: Marked, indent: int) -> Text:
    claim, probability = marked.claim, marked.claim.probability
    figures = {"score": claim.score}
    if probability:
        figures |= {
            "entailment": probability.entailment,
            "neutral": probability.neutral,
            "contradiction": probability.contradiction,
        }
    text = Text().append(f"{marked.mark:<{indent}}{marked.verdict.value}", style=marked.style)
    for name, value in figures.items():
        if value is not None:
            style = "" if name == "score" else "dim"
            text.append(f"\n{'':<{indent}}{name:<13} {value:.2f}", style=style)
    return text


def _evidence(marked: Marked, submission: Submission, missing: Sequence[str]) -> Text:
    text = Text()
    if missing and marked.verdict is not Verdict.SUPPORTED:
        text.append(f"no context gives {visible(', '.join(missing), MAX_ID_CHARS)}\n", style=marked.style)
    evidence = marked.claim.evidence
    if evidence is None or evidence.text is None:
        return text
    closest = "closest in " if marked.verdict is Verdict.UNSUPPORTED else ""
    before, after = _around(evidence, submission)
    text.append(f"{closest}context {visible(evidence.context_id, MAX_ID_CHARS)}:\n", style="dim")
    text.append(visible(before, AROUND_CHARS + 2), style="dim")
    text.append(f"“{visible(_flat(evidence.text), MAX_EVIDENCE_CHARS)}”", style="bold")
    text.append(visible(after, AROUND_CHARS + 2), style="dim")
    return text


def _around(evidence: EvidenceAnswer, submission: Submission) -> tuple[str, str]:
    """What stands before and after the evidence in its context, cut between words."""
    start, end = evidence.start, evidence.end
    for name, context in zip(context_ids(submission), submission.contexts, strict=True):
        if name == evidence.context_id and context.text[start:end] == evidence.text:
            before, after = context.text[:start], context.text[end:]
            return _last_words(before), _first_words(after)
    return "", ""


def _last_words(text: str) -> str:
    if len(text) <= AROUND_CHARS:
        return _flat(text).lstrip()
    cut = _flat(text[-AROUND_CHARS:])
    _, space, words = cut.partition(" ")
    return "…" + (words if space else cut)


def _first_words(text: str) -> str:
    if len(text) <= AROUND_CHARS:
        return _flat(text).rstrip()
    cut = _flat(text[:AROUND_CHARS])
    words, space, _ = cut.rpartition(" ")
    return (words if space else cut) + "…"


def _flat(text: str) -> str:
    """On one line."""
    return re.sub(r"\s+", " ", text)
