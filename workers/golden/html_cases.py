"""Flipped cases in the HTML report: both answers, each claim marked by its verdict, its evidence within the context. Pure."""

import re
from collections.abc import Collection, Iterator

from models.types import Verdict
from service.core.evidence_schemas import EvidenceAnswer
from service.core.golden.item import GoldenItem
from service.core.golden.record import TargetKind
from service.core.sample_schemas import ClaimAnswer
from workers.golden.html_text import Html, details, element, joined, text
from workers.golden.report_cases import SIGNS, Case, Side, label_words, labelled_wrong
from workers.golden.report_rows import NO_CATEGORY
from workers.golden.wording import counted

CLASSES = {
    Verdict.SUPPORTED.value: "good",
    Verdict.CONTRADICTED.value: "bad",
    Verdict.UNSUPPORTED.value: "open",
    Verdict.NOT_CHECKABLE.value: "plain",
}
MAX_NAME_CHARS = 200
MAX_QUESTION_CHARS, MAX_LINE_CHARS = 2_000, 600
MAX_RESPONSE_CHARS = 5_000
MAX_CONTEXT_CHARS, MAX_CONTEXTS = 3_000, 8
MAX_CLAIMS = 20  # of one side that are listed
AROUND_CHARS = 200  # of the context before the evidence, and after it
Span = tuple[int, int]


def case_html(case: Case, kind: TargetKind) -> Html:
    """One case."""
    worse = case.flipped.worse
    head = element(
        "header",
        element(
            "span", text("▲ worse" if worse else "▼ better", MAX_NAME_CHARS), cls=f"tag {'bad' if worse else 'good'}"
        ),
        element("h3", text(case.item.id, MAX_NAME_CHARS)),
        element("span", text(case.item.category or NO_CATEGORY, MAX_NAME_CHARS), cls="dim"),
        element("span", text(f"{case.before.outcome} → {case.now.outcome}", MAX_NAME_CHARS)),
    )
    # Where both read the same response, what one of them finds wrong is of interest in the other too.
    shared = {_span(claim) for side in (case.before, case.now) for claim in side.wrong}
    open_ = shared if kind is TargetKind.SCORER else frozenset()
    sides = element(
        "div",
        _side("Baseline", case.before, case.item, open_),
        _side("Candidate", case.now, case.item, open_),
        cls="sides",
    )
    return element("article", head, _question(case.item), sides, _label(case.item), _contexts(case.item))


def _question(item: GoldenItem) -> Html:
    if not item.question:
        return Html("")
    return element("blockquote", _said(item.question, MAX_QUESTION_CHARS))


def _said(value: str, limit: int) -> Html:
    return element("div", text(value, limit), cls="said", attributes='dir="auto"')


def _side(name: str, side: Side, item: GoldenItem, open_: Collection[Span]) -> Html:
    which = f" (one of {side.answers} answers)" if side.answers > 1 else ""
    title = element("h4", text(f"{name}: {side.outcome}{which}", MAX_NAME_CHARS))
    standing = element("p", text(side.standing, MAX_NAME_CHARS), cls="dim small")
    listed = [claim for claim in side.claims if claim in side.wrong or _span(claim) in open_]
    rest = [claim for claim in side.claims if claim not in listed]
    folded = (
        details(text(f"{counted(len(rest), 'more claim')}", MAX_NAME_CHARS), _claims(rest, item)) if rest else Html("")
    )
    return element("div", title, standing, _response(side), _claims(listed, item), folded, cls="side")


def _response(side: Side) -> Html:
    """The response with each claim marked by a sign and a colour."""
    whole = side.response
    if not whole:
        return element("p", text("There is no text.", MAX_NAME_CHARS), cls="dim")
    parts: list[Html] = []
    end = 0
    for claim in side.claims:
        fits = claim.text is None or whole[claim.start : claim.end] == claim.text
        if fits and claim.start >= end and claim.end <= min(len(whole), MAX_RESPONSE_CHARS):
            parts += [_piece(whole[end : claim.start]), _marked(whole[claim.start : claim.end], claim.verdict)]
            end = claim.end
    parts.append(_piece(whole[end:MAX_RESPONSE_CHARS]))
    if len(whole) > MAX_RESPONSE_CHARS:
        parts.append(text(f"… ({len(whole) - MAX_RESPONSE_CHARS:,} more characters)", MAX_NAME_CHARS))
    return element("div", *parts, cls="said", attributes='dir="auto"')


def _piece(value: str) -> Html:
    return text(value, MAX_RESPONSE_CHARS)


def _marked(value: str, verdict: str) -> Html:
    sign = element("b", text(SIGNS.get(verdict, "–"), 1))
    return element("mark", sign, Html(" "), _piece(value), cls=CLASSES.get(verdict, "plain"))


def _span(claim: ClaimAnswer) -> Span:
    return claim.start, claim.end


def _claims(claims: list[ClaimAnswer], item: GoldenItem) -> Html:
    if not claims:
        return Html("")
    shown = [element("li", *_claim(claim, item)) for claim in claims[:MAX_CLAIMS]]
    if len(claims) > MAX_CLAIMS:
        shown.append(element("li", text(f"and {len(claims) - MAX_CLAIMS:,} more", MAX_NAME_CHARS), cls="dim"))
    return element("ul", *shown, cls="claims")


def _claim(claim: ClaimAnswer, item: GoldenItem) -> Iterator[Html]:
    verdict = claim.verdict.replace("_", " ")
    score = "" if claim.score is None else f" {claim.score:.2f}"
    cls = CLASSES.get(claim.verdict, "plain")
    yield element("span", text(f"{SIGNS.get(claim.verdict, '–')} {verdict}{score}", MAX_NAME_CHARS), cls=f"tag {cls}")
    yield _said(claim.text or "", MAX_LINE_CHARS)
    if claim.evidence is not None and claim.evidence.text:
        closest = "closest in" if claim.verdict == Verdict.UNSUPPORTED.value else "evidence in"
        name = text(f"{closest} {claim.evidence.context_id}:", MAX_NAME_CHARS)
        yield element("div", name, cls="dim small")
        yield element("blockquote", _evidence(claim.evidence, item))


def _evidence(evidence: EvidenceAnswer, item: GoldenItem) -> Html:
    """The span within its context, which is cut around it between words."""
    before, after = _around(evidence, item)
    quoted = element("mark", text(evidence.text or "", MAX_LINE_CHARS), cls="evidence")
    return element(
        "div",
        text(before, AROUND_CHARS + 1),
        quoted,
        text(after, AROUND_CHARS + 1),
        cls="said small",
        attributes='dir="auto"',
    )


def _around(evidence: EvidenceAnswer, item: GoldenItem) -> tuple[str, str]:
    start, end = evidence.start, evidence.end
    for context in item.contexts:
        if context.id == evidence.context_id and context.text[start:end] == evidence.text:
            return _last_words(context.text[:start]), _first_words(context.text[end:])
    return "", ""


def _last_words(value: str) -> str:
    if len(value) <= AROUND_CHARS:
        return value
    cut = value[-AROUND_CHARS:]
    return "…" + (re.sub(r"^\S*\s", "", cut) or cut)


def _first_words(value: str) -> str:
    if len(value) <= AROUND_CHARS:
        return value
    cut = value[:AROUND_CHARS]
    return (re.sub(r"\s\S*$", "", cut) or cut) + "…"


def _label(item: GoldenItem) -> Html:
    """What a reader said of the item's own response."""
    if item.hallucinated is None and not item.reason:
        return Html("")
    parts = [
        element(
            "p", element("b", text("Label of the set's own response: ", 50)), text(label_words(item), MAX_NAME_CHARS)
        )
    ]
    if wrong := labelled_wrong(item):
        parts.append(element("p", text("Without support: " + " ".join(f"“{each}”" for each in wrong), MAX_LINE_CHARS)))
    if item.reason:
        parts.append(element("p", element("b", text("Reason: ", 50)), text(item.reason, MAX_LINE_CHARS)))
    return element("div", *parts, cls="small")


def _contexts(item: GoldenItem) -> Html:
    if not item.contexts:
        return Html("")
    parts = []
    for context in item.contexts[:MAX_CONTEXTS]:
        parts += [element("h4", text(context.id, MAX_NAME_CHARS)), _said(context.text, MAX_CONTEXT_CHARS)]
    if len(item.contexts) > MAX_CONTEXTS:
        parts.append(element("p", text(f"and {len(item.contexts) - MAX_CONTEXTS:,} more", MAX_NAME_CHARS), cls="dim"))
    return details(
        text(counted(len(item.contexts), "context"), MAX_NAME_CHARS), element("div", joined(*parts), cls="small")
    )
