"""The four forms of a golden report say the same, with the comparison's numbers."""

import re

import pytest

from service.core.golden.compare import compare
from service.core.golden.gate import Verdict
from service.core.golden.record import KnownAnswers, KnownHalf, TargetKind
from tests.unit.golden_report_reading import BEFORE, NOW, Page, junit_root, mixed, outputs, shown
from tests.unit.golden_report_runs import Texts, many, record, reported
from workers.golden.html import POLICY, html_report
from workers.golden.markdown import github_annotations, markdown_report
from workers.golden.report import Report, make_report

# --- what is said


@pytest.mark.parametrize(
    ("before", "now", "margin", "start"),
    [
        (
            many(200, "+"),
            many(200, "+"),
            0.05,
            "No worse: of the answers to 200 questions, at most 1.5 points more are flagged",
        ),
        (many(100, "+"), many(100, "-"), 0.05, "Worse: of the answers to 100 questions, at least "),
        (
            many(20, "+"),
            many(19, "+") | {"i-019": "-"},
            0.05,
            "Cannot tell yet: of the answers to 20 questions, between ",
        ),
    ],
)
def test_the_verdict_is_a_sentence(before: dict[str, str], now: dict[str, str], margin: float, start: str) -> None:
    """With the number of items, the end of the interval that decides, and the margin; the same in every form."""
    report = reported(before, now, margin=margin)
    assert report.verdict_words.startswith(start)
    assert "(margin 5 points)" in report.verdict_words
    for name, output in outputs(report).items():
        assert report.reason[1:] in " ".join(output.split()), name


def test_what_would_decide_is_told() -> None:
    """Items, or repeats where these tell of flakes."""
    once = reported(many(20, "+"), many(19, "+") | {"i-019": "-"}, margin=0.1)
    assert once.comparison is not None
    needed = once.comparison.endpoints[0].items_needed
    assert f"about {needed:,} items would decide" in once.verdict_words
    flaking = reported(many(60, "+-+"), many(60, "-++"), margin=0.05)
    assert flaking.verdict is Verdict.NO_WORSE
    few = many(20, "+++") | many(6, "++-", "f")
    several = reported(few, many(20, "+++") | many(6, "-+-", "f"), margin=0.1)
    assert several.comparison is not None
    repeats = several.comparison.endpoints[0].repeats_needed
    assert (repeats is None) or f"{repeats} repeats of these, would decide" in several.verdict_words


def test_only_what_decides_is_in_the_sentence() -> None:
    """Of a scorer's two endpoints, the worse one where it is worse, both where both are no worse."""
    good = many(150, "-") | many(150, "+", "ok")
    worse = reported(good, many(150, "+") | many(150, "+", "ok"), kind=TargetKind.SCORER, margin=0.05)
    assert "of 150 hallucinated items, at least" in worse.verdict_words
    assert "supported items" not in worse.verdict_words
    same = reported(good, good, kind=TargetKind.SCORER, margin=0.05)
    assert "of 150 hallucinated items" in same.verdict_words
    assert "of 150 supported items" in same.verdict_words


def test_why_nothing_can_be_told() -> None:
    """Two scorers, or no item in common: no number of items is said to help."""
    texts = Texts()
    before = record(many(50, "+"), texts, TargetKind.APPLICATION, fingerprint="a" * 64)
    now = record(many(50, "+"), texts, TargetKind.APPLICATION)
    two = make_report(now, before, compare(before, now))
    assert two.verdict_words == (
        "Cannot tell yet: two scorers looked at the answers, and their flags cannot be compared."
    )
    none = reported(many(5, "+", "a"), many(5, "+", "b"))
    assert none.verdict_words == "Cannot tell yet: the two runs have no item in common that counts."


def test_without_a_baseline_there_are_rates() -> None:
    """And no verdict, difference or drawing."""
    report = make_report(record(many(40, "+") | {"w": "-"}, Texts(), TargetKind.APPLICATION), None, None)
    assert report.verdict is None
    assert report.verdict_words.startswith("Not compared: of the answers to 41 questions, 2.4% are flagged")
    for name, output in outputs(report).items():
        assert "2.4%" in output, name
    assert "<svg" not in html_report(report)
    assert github_annotations(report).startswith("::notice ")


def test_a_run_of_which_nothing_is_known_passes_no_gate() -> None:
    """Without a baseline too: an endpoint that is down is not a target without a fault."""
    report = make_report(record(many(40, "?"), Texts(), TargetKind.APPLICATION), None, None)
    assert report.verdict is Verdict.CANNOT_TELL
    assert report.verdict_words == "Cannot tell yet: of the answers to 40 questions nothing is known."
    for name, output in outputs(report).items():
        assert "Cannot tell yet" in output, name
    assert github_annotations(report).startswith("::error ")


@pytest.mark.parametrize(
    ("kind", "verdict"), [(TargetKind.SCORER, Verdict.WORSE), (TargetKind.APPLICATION, Verdict.CANNOT_TELL)]
)
@pytest.mark.parametrize("by", ["baseline", "floor"])
def test_a_broken_scorer_is_told_first(kind: TargetKind, verdict: Verdict, by: str) -> None:
    """In every form, with how many known answers it has right."""
    whole, broken = (
        KnownAnswers(set_digest="p", hallucinated=KnownHalf(items=20, right=r), supported=KnownHalf(items=20, right=20))
        for r in (20, 4)
    )
    told = "of 20 known answers that are hallucinated it misses 16, "
    if by == "baseline":
        report = reported(many(200, "-"), many(200, "-"), kind=kind, known=(whole, broken))
        told += "the baseline's scorer 0"
    else:
        told = told.capitalize() + "its floor allows 1"
        report = reported(many(200, "-"), many(200, "-"), kind=kind, known=(None, broken), known_missed=(f"{told}.",))
    assert (report.verdict, report.head) == (verdict, "The scorer is broken")
    assert told in report.reason
    for name, output in outputs(report).items():
        words = " ".join(output.split())
        assert "The scorer is broken" in words, name
        assert "24 of 40 known answers right" in words, name


def test_a_missed_floor_is_worse() -> None:
    """Whatever the baseline was; both are told."""
    floor = "70.0% of the hallucinated items are flagged; the floor of this scorer is 80.0%."
    report = reported(many(200, "+"), many(200, "+"), floors_missed=(floor,))
    assert report.verdict is Verdict.WORSE
    assert report.verdict_words.startswith(f"Below its floor: {floor} Against the baseline, no worse: of the")
    for name, output in outputs(report).items():
        assert floor in " ".join(output.split()), name


def test_what_is_left_out_is_named() -> None:
    """Quarantined, new and gone items by id, unknown answers and refusals by number."""
    for name, output in outputs(mixed()).items():
        flat = " ".join(output.split())
        for sentence in (
            "1 item left out, quarantined: q-1.",
            "1 item left out, new, which the baseline does not have: a-1.",
            "1 item left out, missing, which only the baseline has: g-1.",
            "Items of which something is unknown: 1",
            "1 of 45 answers of the candidate: no answer came (timed_out 1).",
            "3 of 45 answers of the candidate: nothing to check (refusal 3).",
        ):
            assert sentence in flat, name


def test_it_can_be_run_again() -> None:
    """Release, commit, the scorer's fingerprint and time of both runs, and the command."""
    for name, output in outputs(mixed()).items():
        for part in ("r1", "0123456789ab", "f" * 12, "2026-11-27 16:03", "assay golden run core --target"):
            assert part in output, (name, part)
        assert "f" * 13 not in output, name


# --- numbers


def allowed(report: Report) -> set[str]:
    """Every figure with a point that may stand in a report."""
    comparison, summary = report.comparison, report.summary
    assert comparison is not None
    shares = [comparison.flake_rate, comparison.declined.baseline, comparison.declined.candidate, summary.declined_rate]
    differences = [comparison.declined.difference]
    for each in comparison.endpoints:
        shares += [each.baseline, each.candidate]
        differences.append(each.difference)
    for category in comparison.categories:
        shares += [category.baseline, category.candidate]
    for flaky in comparison.flaky:
        shares += [flaky.baseline, flaky.candidate]
    found = {f"{share:.1%}" for share in shares if share is not None} | {"0.81", "0.12", "0.69"}
    for difference in differences:
        ends = (difference.value, difference.ci_low, difference.ci_high)
        found |= {f"{abs(100 * end):.1f}" for end in ends if end is not None}
    return found | {f"{100 * comparison.margin:.3g}"}


@pytest.mark.parametrize("name", ["terminal", "html", "junit", "markdown"])
def test_every_number_is_the_comparisons(name: str) -> None:
    """No form has figures of its own; each has the difference and both ends of its interval."""
    report = mixed()
    assert report.comparison is not None
    output = outputs(report)[name].replace(" 1.5", " ")  # a case's seconds, in no text
    figures = {figure.lstrip("+-") for figure in re.findall(r"[+-]?\d+\.\d+%?", output)}
    assert figures <= allowed(report)
    difference = report.comparison.endpoints[0].difference
    for end in (difference.ci_low, difference.ci_high):
        assert f"{abs(100 * end):.1f}" in figures


def test_what_is_beside_the_margin_is_not_written_as_the_margin() -> None:
    """An interval that ends a hair beyond the margin does not look as if it ended there."""
    report = reported(many(200, "+"), many(199, "+") | {"i-199": "-"})
    assert report.comparison is not None
    high = report.comparison.endpoints[0].difference.ci_high
    beside = make_report(
        report.candidate, report.baseline, report.comparison.model_copy(update={"margin": round(high, 4) + 1e-4})
    )
    assert f"{100 * high:.2f}" in shown(beside)


# --- forms


def test_the_terminal_is_whole_at_80_columns() -> None:
    """Nothing is cut or hidden, and lines break between words."""
    text = shown(mixed(), terminal=True)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("Cannot tell yet: ")


def test_flipped_cases_are_told_worse_first() -> None:
    """What became of an item before and now, and its category."""
    lines = [line.strip() for line in shown(mixed()).splitlines()]
    at = lines.index("worse   w-1: passed -> flagged (numbers)")
    assert lines[at + 1 : at + 3] == [
        "worse   w-2: passed -> flagged in 67% (numbers)",
        "better  b-1: flagged -> passed (numbers)",
    ]


def test_many_cases_are_counted() -> None:
    """The terminal and Markdown show 20, HTML 200; each says how many more."""
    report = reported(many(230, "+"), many(230, "-"))
    assert "and 210 more" in shown(report)
    assert "and 210 more" in markdown_report(report)
    page = html_report(report)
    assert page.count("<article>") == 200
    assert "the first 200 are shown, 30 more are not" in page


def test_html_asks_for_nothing_else() -> None:
    """A policy that allows no source; no script, link, picture or address in it."""
    page = html_report(mixed())
    assert f'content="{POLICY}"' in page
    tags = {tag[0] for tag in Page(page).tags if isinstance(tag, tuple)}
    assert not tags & {"script", "link", "img", "iframe", "object", "form", "a", "base"}
    assert "url(" not in page
    assert "@import" not in page


def test_html_marks_claims_and_evidence_without_colour_alone() -> None:
    """A sign and a word for each verdict; the evidence within its context; the drawing has a text."""
    page = html_report(mixed())
    assert '<mark class="bad"><b>✗</b> It weighs 950 grams.</mark>' in page
    assert "✗ contradicted 0.81" in page
    assert 'The kettle is made of steel. <mark class="evidence">It weighs 900 grams.</mark> It has a lid.' in page
    assert re.search(r"<desc>flagged answers: .* points, interval .*The margin is", page)


def test_long_contexts_are_cut_around_the_evidence() -> None:
    """Between words, with an ellipsis on both sides."""
    texts = Texts(context=f"{'before ' * 900}It weighs 900 grams.{' after' * 900}")
    page = html_report(mixed(texts))
    assert re.search(r">…(before )+<mark class=\"evidence\">It weighs 900 grams.</mark>( after)+…<", page)


def test_a_scorers_claims_stand_side_by_side() -> None:
    """Both runs read the same response; what one finds wrong is shown of the other too."""
    report = reported(many(20, "-"), many(19, "-") | {"i-019": "+"}, kind=TargetKind.SCORER)
    article = html_report(report).partition("<article>")[2].partition("</article>")[0]
    assert "✗ contradicted 0.81" in article
    assert "✓ supported 0.12" in article
    assert "Baseline: found" in article
    assert "Candidate: missed" in article
    assert "The passage gives another weight." in article


def test_junit_holds_every_item_once() -> None:
    """Worse ones fail, unknown ones are errors, what counts for nothing is skipped; counts are true; the gate is a case."""
    root = junit_root(mixed())
    kinds = {case.attrib["name"]: [child.tag for child in case] for case in root.iter("testcase")}
    assert set(kinds) == set(BEFORE) | set(NOW) | {"gate"}
    told = {name: tags for name, tags in kinds.items() if tags}
    assert told == {
        "gate": ["error"],
        "w-1": ["failure"],
        "w-2": ["failure"],
        "u-1": ["error"],
        "q-1": ["skipped"],
        "a-1": ["skipped"],
        "g-1": ["skipped"],
    }
    for suite in [root, *root]:
        cases = list(suite.iter("testcase"))
        assert suite.attrib["tests"] == str(len(cases))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.attrib[attribute] == str(sum(case.find(tag) is not None for case in cases))
        assert float(suite.attrib["time"]) == pytest.approx(sum(float(case.attrib["time"]) for case in cases))


def test_junit_has_the_common_structure() -> None:
    """Suites of cases of at most one result, with the attributes that every reader of it knows."""
    root = junit_root(mixed())
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert set(suite.attrib) == {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
        for case in suite:
            assert (case.tag, set(case.attrib)) == ("testcase", {"name", "classname", "time"})
            assert len(case) <= 1
            for child in case:
                assert child.tag in {"failure", "error", "skipped", "system-out"}


@pytest.mark.parametrize(
    ("before", "now", "tag"),
    [
        (many(100, "+"), many(100, "+"), "system-out"),
        (many(100, "+"), many(100, "-"), "failure"),
        (many(10, "+"), many(10, "+"), "error"),
    ],
)
def test_the_gate_is_a_case(before: dict[str, str], now: dict[str, str], tag: str) -> None:
    """What cannot be told is an error: a skipped case would pass for green."""
    root = junit_root(reported(before, now, margin=0.05))
    assert [child.tag for case in root.iter("testcase") if case.attrib["name"] == "gate" for child in case] == [tag]
