"""The report of a golden run as one HTML file that asks for nothing else: no script, no font, no picture. Pure."""

from service.core.golden.comparison_schemas import ComparisonAnswer, EndpointAnswer
from service.core.golden.gate import Verdict
from service.core.golden.summary import EndpointRate, SummaryAnswer
from workers.golden.html_cases import case_html
from workers.golden.html_interval import drawing
from workers.golden.html_style import STYLE
from workers.golden.html_text import Html, details, element, joined, section, sentences, table, text
from workers.golden.report import Report
from workers.golden.report_cases import cases
from workers.golden.report_rows import Rows, categories, command, endpoints, flaky, runs, sources
from workers.golden.wording import NAMES, UNKNOWN, counted, percent, points, span

MOST_CASES, MOST_CATEGORIES, MOST_FLAKY = 200, 200, 50
MAX_LINE_CHARS = 1_000
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_BANNERS = {
    Verdict.NO_WORSE: ("good", "✓"),
    Verdict.WORSE: ("bad", "✗"),
    Verdict.CANNOT_TELL: ("open", "?"),
    None: ("plain", "–"),
}


def html_report(report: Report) -> str:
    """The whole document. Every text of a user in it is escaped."""
    title = f"Golden set {report.candidate.set_name}: {report.head}"
    head = joined(
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="referrer" content="no-referrer">'),
        element("title", text(title, MAX_LINE_CHARS)),
        element("style", Html(STYLE)),
    )
    body = element("main", _top(report), _numbers(report), _categories(report), _cases(report), _end(report))
    page = element("html", element("head", head), element("body", body), attributes='lang="en"')
    return f"<!doctype html>\n{page}\n"


def _top(report: Report) -> Html:
    cls, sign = _BANNERS[report.verdict]
    reason = report.reason[:1].upper() + report.reason[1:]
    return joined(
        element("h1", text(f"Golden set {report.candidate.set_name}", MAX_LINE_CHARS)),
        element("p", text(sources(report), MAX_LINE_CHARS), cls="dim small"),
        element(
            "div",
            element("strong", text(f"{sign} {report.head}", MAX_LINE_CHARS)),
            element("p", text(reason, MAX_LINE_CHARS)),
            cls=f"banner {cls}",
            attributes='role="status"',
        ),
    )


def _numbers(report: Report) -> Html:
    comparison = report.comparison
    if comparison is None:
        shown = [_rate(each, report.summary) for each in report.summary.endpoints if each.items]
        meant = element("p", text(" ".join(report.meaning), MAX_LINE_CHARS), cls="dim small")
        return section("What was found", *shown, meant)
    shown = [_compared(each, comparison) for each in comparison.endpoints if each.items]
    meant = element("figcaption", text(" ".join(report.meaning), MAX_LINE_CHARS))
    figure = element("figure", drawing(comparison), meant)
    return section("What is compared", *shown, figure, details(text("As a table", 50), table(endpoints(report))))


def _compared(each: EndpointAnswer, comparison: ComparisonAnswer) -> Html:
    found, margin = each.difference, comparison.margin
    interval = f"{100 * comparison.confidence:.3g}% interval {span(found.ci_low, found.ci_high, margin)}"
    unknown = f", of {each.unknown:,} something unknown" if each.unknown else ""
    return joined(
        _named(NAMES[each.name], f"{counted(each.items, 'item')}{unknown}"),
        element(
            "div",
            _number("baseline", percent(each.baseline), ""),
            _number("candidate", percent(each.candidate), ""),
            _number("difference in points", points(found.value, margin), interval),
            cls="numbers",
        ),
    )


def _rate(each: EndpointRate, summary: SummaryAnswer) -> Html:
    ends = UNKNOWN if each.rate is None else f"{percent(each.ci_low)} to {percent(each.ci_high)}"
    bounds = f"of {each.unknown:,} something unknown: {percent(each.bound_low)} to {percent(each.bound_high)} with it"
    return joined(
        _named(NAMES[each.name], counted(each.items, "item")),
        element(
            "div",
            _number("share", percent(each.rate), f"{100 * summary.confidence:.3g}% interval {ends}"),
            *([_number("unknown", f"{each.unknown:,}", bounds)] if each.unknown else []),
            cls="numbers",
        ),
    )


def _named(name: str, more: str) -> Html:
    return element(
        "h3",
        text(name.capitalize(), MAX_LINE_CHARS),
        element("span", text(f" · {more}", MAX_LINE_CHARS), cls="dim small"),
    )


def _number(name: str, figure: str, more: str) -> Html:
    below = element("span", text(more, MAX_LINE_CHARS), cls="dim small") if more else Html("")
    return element(
        "div",
        element("span", text(name, MAX_LINE_CHARS), cls="dim small"),
        element("b", text(figure, MAX_LINE_CHARS)),
        below,
        cls="number",
    )


def _categories(report: Report) -> Html:
    changed = categories(report, MOST_CATEGORIES)
    every = categories(report, MOST_CATEGORIES, unchanged=True)
    folded = details(text(f"All {len(every.rows) + every.more:,} categories", 50), table(every))
    if report.comparison is None:
        return section(every.title, table(every))
    if not changed.rows:
        return section("Categories", element("p", text("None changed.", 50)), folded if every.rows else Html(""))
    return section(changed.title, table(changed), folded)


def _cases(report: Report) -> Html:
    if report.comparison is None:
        return Html("")
    found = report.comparison.flipped
    if not found:
        return section("Items that changed", element("p", text("None.", 50)))
    worse = sum(each.worse for each in found)
    told = f"{worse:,} worse, {len(found) - worse:,} better"
    left = len(found) - MOST_CASES
    more = f"; the first {MOST_CASES} are shown, {left:,} more are not" if left > 0 else ""
    shown = [case_html(case, report.candidate.kind) for case in cases(report, MOST_CASES)]
    return section("Items that changed, worse first", element("p", text(f"{told}{more}.", 100), cls="dim"), *shown)


def _end(report: Report) -> Html:
    unsteady: Rows = flaky(report, MOST_FLAKY)
    gaps = sentences(report.gaps, MAX_LINE_CHARS) or element("p", text("Nothing is left out or unknown.", 50))
    again = runs(report)
    return joined(
        section(unsteady.title, table(unsteady)),
        section("What the figures do not cover", gaps),
        section(
            again.title,
            table(again),
            element("p", text("Again: ", 50), element("code", text(command(report), MAX_LINE_CHARS))),
        ),
    )
