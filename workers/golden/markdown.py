"""The report of a golden run as GitHub-flavoured Markdown, for a pull request or a job's summary, and as annotations. Pure."""

from collections.abc import Iterator

from service.core.golden.gate import Verdict
from service.core.visible import visible
from workers.golden.markdown_text import code, escaped, table
from workers.golden.report import Report
from workers.golden.report_cases import SIGNS, Case, Side, cases
from workers.golden.report_rows import NO_CATEGORY, Rows, categories, command, endpoints, flaky, runs, sources
from workers.golden.wording import counted

MAX_CHARS = 60_000  # of the whole; GitHub refuses a comment from 65,536 on
MOST_CASES, MOST_CATEGORIES, MOST_FLAKY, MOST_GAPS = 20, 15, 10, 12
MOST_ANNOTATIONS = 10  # of a kind that GitHub shows of a step
MAX_CELL_CHARS, MAX_LINE_CHARS, MAX_TEXT_CHARS = 60, 400, 500
MAX_WRONG = 5  # claims of one answer
_SIGNS = {Verdict.NO_WORSE: "✅", Verdict.WORSE: "❌", Verdict.CANNOT_TELL: "❔", None: "➖"}
_LEVELS = {Verdict.NO_WORSE: "notice", Verdict.WORSE: "error", Verdict.CANNOT_TELL: "error", None: "notice"}


def markdown_report(report: Report) -> str:
    """At most MAX_CHARS characters; what does not fit is counted."""
    head = "\n".join(_head(report))
    tail = "\n".join(_tail(report))
    if len(head) + len(tail) > MAX_CHARS:  # only where names were made for it
        tail = "The rest is too long; the HTML report has it.\n"
    return head + _cases(report, MAX_CHARS - len(head) - len(tail)) + tail


def github_annotations(report: Report) -> str:
    """Workflow commands, a line each: the verdict, then categories that are worse beyond chance."""
    title = f"Golden set {report.candidate.set_name}"
    lines = [_annotation(_LEVELS[report.verdict], title, report.verdict_words)]
    found = [] if report.comparison is None else [each for each in report.comparison.categories if each.worse]
    for each in found[: MOST_ANNOTATIONS - 1]:
        told = f"{counted(each.became_worse, 'item')} worse and {each.became_better:,} better of {each.items:,}"
        lines.append(_annotation("warning", title, f"{each.name or NO_CATEGORY}: {told}, beyond chance."))
    return "\n".join(lines)


def _annotation(level: str, title: str, message: str) -> str:
    name, told = (visible(" ".join(each.split()), 1_000) for each in (title, message))
    return f"::{level} title={_property(name)}::{_data(told)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _head(report: Report) -> Iterator[str]:
    reason = report.reason[:1].upper() + report.reason[1:]
    yield f"## {_SIGNS[report.verdict]} {report.head}: golden set {escaped(report.candidate.set_name, MAX_CELL_CHARS)}\n"
    yield f"{escaped(reason, 2 * MAX_LINE_CHARS)}\n"
    yield table(endpoints(report), MAX_CELL_CHARS)
    yield "*What it means.* " + " ".join(escaped(line, MAX_LINE_CHARS) for line in report.meaning) + "\n"
    yield _titled(categories(report, MOST_CATEGORIES))


def _titled(rows: Rows) -> str:
    shown = table(rows, MAX_CELL_CHARS)
    return f"### {escaped(rows.title, MAX_CELL_CHARS)}\n\n{shown}" if shown else ""


def _tail(report: Report) -> Iterator[str]:
    yield _titled(flaky(report, MOST_FLAKY))
    gaps = report.gaps
    if gaps:
        yield "### What the figures do not cover\n"
        yield "".join(f"- {escaped(line, MAX_LINE_CHARS)}\n" for line in gaps[:MOST_GAPS])
        if len(gaps) > MOST_GAPS:
            yield f"- and {len(gaps) - MOST_GAPS:,} more\n"
    yield _titled(runs(report))
    yield f"{escaped(sources(report), MAX_LINE_CHARS)} Again: {code(command(report), MAX_LINE_CHARS)}\n"


def _cases(report: Report, room: int) -> str:
    found = [] if report.comparison is None else report.comparison.flipped
    if not found:
        return ""
    worse = sum(each.worse for each in found)
    told = f"{counted(len(found), 'item')} changed: {worse:,} worse, {len(found) - worse:,} better"
    start, end = f"<details><summary>{told}</summary>\n\n", "</details>\n\n"
    parts: list[str] = []
    left = room - len(start) - len(end) - len(_more(len(found)))
    for case in cases(report, MOST_CASES):
        part = "\n".join(_case(case)) + "\n"
        left -= len(part)
        if left < 0:
            break
        parts.append(part)
    return start + "".join(parts) + _more(len(found) - len(parts)) + end


def _more(number: int) -> str:
    return f"and {number:,} more, which the HTML report has\n\n" if number else ""


def _case(case: Case) -> Iterator[str]:
    item, change = case.item, "worse" if case.flipped.worse else "better"
    name, category = escaped(item.id, MAX_CELL_CHARS), escaped(item.category or NO_CATEGORY, MAX_CELL_CHARS)
    yield f"**{name}** · {category} · {case.before.outcome} → {case.now.outcome} ({change})\n"
    if item.question:
        yield f"- Question: {escaped(item.question, MAX_TEXT_CHARS)}"
    if case.before.response == case.now.response:
        yield f"- Response: {escaped(case.now.response, MAX_TEXT_CHARS)}"
    yield from _side("Baseline", case.before, shared=case.before.response == case.now.response)
    yield from _side("Candidate", case.now, shared=case.before.response == case.now.response)
    if item.reason:
        yield f"- Reason of the label: {escaped(item.reason, MAX_TEXT_CHARS)}"
    yield ""


def _side(name: str, side: Side, *, shared: bool) -> Iterator[str]:
    said = "" if shared else f" {escaped(side.response, MAX_TEXT_CHARS)}"
    yield f"- {name} ({escaped(side.standing, MAX_CELL_CHARS)}):{said}"
    wrong = side.wrong
    for claim in wrong[:MAX_WRONG]:
        evidence = claim.evidence.text if claim.evidence is not None else None
        told = f"; context: “{escaped(evidence, MAX_TEXT_CHARS)}”" if evidence else ""
        yield f"  - {SIGNS[claim.verdict]} {claim.verdict}: “{escaped(claim.text or '', MAX_TEXT_CHARS)}”{told}"
    if len(wrong) > MAX_WRONG:
        yield f"  - and {len(wrong) - MAX_WRONG:,} more"
