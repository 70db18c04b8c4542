"""The report of a golden run as JUnit XML: a suite for each category, a case for each item, and one for the gate. Pure.

CI shows a skipped test as green, so a gate that cannot tell is an error: not a failure of what was tested, but a test that
did not come to an end, and no pass.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from service.core.golden.comparison_schemas import FlippedAnswer
from service.core.golden.gate import Verdict
from service.core.golden.item import GoldenItem
from service.core.golden.record import ENDED, AnswerState, ItemRecord
from service.core.visible import visible
from workers.golden.report import Report
from workers.golden.report_cases import SIGNS, Case, cases
from workers.golden.report_rows import NO_CATEGORY, command, outcomes, runs, sources
from workers.golden.wording_gaps import STATES, left_out

FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"
GATE = "gate"
MOST_EXPLAINED = 200  # cases whose claims are listed
MAX_NAME_CHARS, MAX_MESSAGE_CHARS, MAX_TEXT_CHARS = 200, 1_000, 4_000
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNKNOWN = frozenset(AnswerState) - {AnswerState.SCORED, AnswerState.NOT_APPLICABLE}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Result:
    """What a test case says beside its name; no `kind`: it passed."""

    kind: str = ""
    message: str = ""
    text: str = ""


def junit_report(report: Report) -> str:
    """The whole document."""
    name = f"assay golden {report.candidate.set_name}"
    root = ET.Element("testsuites", {"name": _attribute(name)})
    suites = [_gate(report), *_items(report)]
    for suite in suites:
        root.append(suite)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _gate(report: Report) -> ET.Element:
    kind = {Verdict.WORSE: FAILURE, Verdict.CANNOT_TELL: ERROR, Verdict.NO_WORSE: "", None: SKIPPED}[report.verdict]
    lines = [report.verdict_words, *report.meaning, *report.gaps, sources(report), f"Again: {command(report)}"]
    lines += [" ".join(row) for row in runs(report).rows]
    text = "\n".join(lines)
    test = _case(GATE, _classname(report, GATE), 0.0, _Result(kind=kind, message=report.verdict_words, text=text))
    if not kind:
        ET.SubElement(test, "system-out").text = _text(text)
    return _suite(GATE, report, [test])


def _items(report: Report) -> list[ET.Element]:
    explained = {case.item.id: case for case in cases(report, MOST_EXPLAINED)}
    comparison, baseline = report.comparison, report.baseline
    flips = {each.item: each for each in comparison.flipped} if comparison is not None else {}
    skipped = left_out(comparison) if comparison is not None else {}
    before = {each.item.id: each for each in baseline.items} if baseline is not None else {}
    held: dict[str, list[ET.Element]] = defaultdict(list)
    for each in report.candidate.items:
        name = each.item.id
        result = _result(each, before.get(name), flips.get(name), skipped.get(name), explained.get(name))
        held[each.item.category or NO_CATEGORY].append(_item(report, each.item, _seconds(each), result))
    there = {each.item.id for each in report.candidate.items}
    for name, gone in before.items():
        if name not in there:
            result = _Result(kind=SKIPPED, message=skipped.get(name, ""))
            held[gone.item.category or NO_CATEGORY].append(_item(report, gone.item, 0.0, result))
    return [_suite(category, report, tests) for category, tests in sorted(held.items())]


def _result(
    now: ItemRecord, before: ItemRecord | None, flip: FlippedAnswer | None, skipped: str | None, case: Case | None
) -> _Result:
    if skipped is not None:
        return _Result(kind=SKIPPED, message=skipped)
    if flip is not None and flip.worse:
        was, told = outcomes(flip)
        return _Result(kind=FAILURE, message=f"{was} -> {told}", text="" if case is None else _explained(case))
    unknown = {
        name: _unknown(record) for name, record in (("baseline", before), ("candidate", now)) if record is not None
    }
    if any(unknown.values()):
        return _Result(kind=ERROR, message="; ".join(f"{name}: {why}" for name, why in unknown.items() if why))
    return _Result()


def _unknown(record: ItemRecord) -> str:
    """What is not known of an item's answers; empty where all is."""
    found = [answer for answer in record.answers if answer.state in _UNKNOWN or answer.made_up is None]
    words = sorted({STATES[answer.state] + (f" ({answer.reason})" if answer.reason else "") for answer in found})
    return f"{len(found)} of {len(record.answers)} unknown: {', '.join(words)}" if found else ""


def _explained(case: Case) -> str:
    lines = [f"question: {case.item.question}"] if case.item.question else []
    for name, side in (("baseline", case.before), ("candidate", case.now)):
        lines += [f"{name}: {side.standing}", f"  {side.response}"]
        lines += [f"  {SIGNS.get(claim.verdict, '-')} {claim.verdict}: {claim.text or ''}" for claim in side.wrong]
    if case.item.reason:
        lines.append(f"reason of the label: {case.item.reason}")
    return "\n".join(lines)


def _seconds(record: ItemRecord) -> float:
    return sum(answer.seconds or 0.0 for answer in record.answers if answer.state in ENDED)


def _item(report: Report, item: GoldenItem, seconds: float, result: _Result) -> ET.Element:
    return _case(item.id, _classname(report, item.category or NO_CATEGORY), seconds, result)


def _classname(report: Report, category: str) -> str:
    return f"golden.{report.candidate.set_name}.{category}"


def _case(name: str, classname: str, seconds: float, result: _Result) -> ET.Element:
    given = {"name": _attribute(name), "classname": _attribute(classname), "time": f"{seconds:.3f}"}
    test = ET.Element("testcase", given)
    if result.kind:
        told = ET.SubElement(test, result.kind, {"message": _attribute(result.message, MAX_MESSAGE_CHARS)})
        if result.kind != SKIPPED:
            told.set("type", result.kind)
        told.text = _text(result.text) or None
    return test


def _suite(name: str, report: Report, tests: Sequence[ET.Element]) -> ET.Element:
    counts: Mapping[str, str] = {"failures": FAILURE, "errors": ERROR, "skipped": SKIPPED}
    suite = ET.Element("testsuite", {"name": _attribute(name), "tests": str(len(tests))})
    for attribute, kind in counts.items():
        suite.set(attribute, str(sum(test.find(kind) is not None for test in tests)))
    suite.set("time", f"{sum(float(test.get('time', '0')) for test in tests):.3f}")
    suite.set("timestamp", f"{report.candidate.started_at:%Y-%m-%dT%H:%M:%S}")
    suite.extend(tests)
    return suite


def _attribute(text: str, limit: int = MAX_NAME_CHARS) -> str:
    return _text(" ".join(text.split()), limit)


def _text(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """What XML can hold, and shows no other direction than it has."""
    return _NOT_XML.sub("\ufffd", visible(text.replace("\r\n", "\n").replace("\t", "    "), limit))
