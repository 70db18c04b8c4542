"""The explanation of a row: its claims by verdict, each with its evidence. Readable without colour."""

from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from models.types import Verdict
from service.core.schemas import ClaimAnswer, Submission
from service.core.tables import State
from workers.offline.answer import ErrorAnswer, RowAnswer
from workers.offline.shape import Row
from workers.visible import visible

COLOURS = {
    Verdict.SUPPORTED: "green",
    Verdict.CONTRADICTED: "bold red",
    Verdict.UNSUPPORTED: "yellow",
    Verdict.NOT_CHECKABLE: "dim",
}
MAX_ID_CHARS = 80
MAX_QUESTION_CHARS = 200
MAX_CLAIM_CHARS = 400
MAX_EVIDENCE_CHARS = 300
MAX_CLAIMS = 20  # of one response


def explain(row: Row, answer: RowAnswer | ErrorAnswer) -> Group:
    """What a person reads of one row; long texts and many claims are cut, and say so."""
    name = visible(row.id, MAX_ID_CHARS) if row.id else f"line {row.line}"
    if isinstance(answer, ErrorAnswer):
        problem = answer.problem
        field = f"{problem.field}: " if problem.field else ""
        text = Text(visible(f"error: {field}{problem.detail} {problem.next_step}", MAX_CLAIM_CHARS), style="red")
        return Group(_rule(name), text)
    parts: list[Rule | Text | Table] = [_rule(f"{name}  {_standing(answer)}")]
    if isinstance(row.content, Submission) and row.content.question:
        parts.append(Text(f"question: {visible(row.content.question, MAX_QUESTION_CHARS)}", style="dim"))
    if answer.claims:
        parts.append(_claims(answer.claims[:MAX_CLAIMS]))
    if len(answer.claims) > MAX_CLAIMS:
        parts.append(Text(f"and {len(answer.claims) - MAX_CLAIMS} more claims", style="dim"))
    return Group(*parts)


def _rule(title: str) -> Rule:
    return Rule(Text(title), align="left", characters="-", style="dim")


def _standing(answer: RowAnswer) -> str:
    if answer.status != State.SCORED or answer.score is None:
        return f"{answer.status} ({answer.reason})"
    flagged = "flagged" if answer.flagged else "not flagged"
    return f"{flagged}: score {answer.score:.2f}, threshold {answer.threshold:.2f}, 1 is bad"


def _claims(claims: list[ClaimAnswer]) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("claim", ratio=1)
    table.add_column("evidence", ratio=1)
    for claim in claims:
        verdict = Verdict(claim.verdict)
        style = COLOURS[verdict]
        table.add_row(
            Text(verdict.value.replace("_", " "), style=style),
            "" if claim.score is None else f"{claim.score:.2f}",
            Text(visible(claim.text, MAX_CLAIM_CHARS), style=style),
            _evidence(claim),
        )
    return table


def _evidence(claim: ClaimAnswer) -> Text:
    if claim.evidence is None:
        return Text()
    name, quoted = visible(claim.evidence.context_id, MAX_ID_CHARS), visible(claim.evidence.text, MAX_EVIDENCE_CHARS)
    return Text(f"[{name}] {quoted}", style="dim")
