"""Runs for tests of reports: items by what became of them before and now, with texts of choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from models.types import Verdict
from service.core.evidence_schemas import EvidenceAnswer
from service.core.golden.compare import compare
from service.core.golden.item import GoldenClaim, GoldenContext, GoldenItem, item_digest, set_digest
from service.core.golden.record import AnswerRecord, AnswerState, ItemRecord, KnownAnswers, RunRecord, TargetKind
from service.core.sample_schemas import ClaimAnswer
from workers.golden.report import Report, make_report

Mark = Literal["+", "-", "?", "0"]  # passed, flagged, failed, nothing to check
HOSTILE = (
    "<script>alert(1)</script>",
    "]]>",
    "-->",
    '"onload="x',
    "' style='x",
    "&lt;b&gt;",
    "</mark></details>",
    "| a | b |\n|---|---|",
    "\n\n# head\n- list\n",
    "```\ncode",
    "`tick`",
    "@everyone",
    "org/repo#12",
    "![i](https://x.example/i.png)",
    "[a](javascript:x)",
    "[a](https://x.example)",
    "<b",
    "<https://x.example>",
    "a\\|b\\",
    "**b** _i_ ~~s~~",
    "$5 and $6",
    "\x1b[31mred\x1b[0m",
    "\x00\x08\ufffe\uffff",
    "\u202egnp.exe",
    "::error::x",
    "##[group]x",
    "\r\n",
    "Ünï 漢字 عربى 😀",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """What stands in every field that a user writes."""

    question: str = "What does the kettle weigh?"
    context: str = "The kettle is made of steel. It weighs 900 grams. It has a lid."
    evidence: str = "It weighs 900 grams."
    response: str = "It weighs 950 grams."
    category: str = "numbers"
    reason: str = "The passage gives another weight."
    name: str = "core"
    release: str = "r1"
    failure: str = "timed_out"


def item(name: str, texts: Texts, *, hallucinated: bool | None = True) -> GoldenItem:
    """With one context and one claim, the response as a whole."""
    claim = GoldenClaim(start=0, end=len(texts.response), text=texts.response, verdict=Verdict.CONTRADICTED)
    return GoldenItem(
        id=name,
        question=texts.question,
        contexts=(GoldenContext(id=texts.category[:50] or "c", text=texts.context),),
        response=texts.response,
        hallucinated=hallucinated,
        claims=(claim,) if hallucinated else (),
        category=texts.category,
        reason=texts.reason,
    )


def answer(mark: Mark, of: GoldenItem, texts: Texts, kind: TargetKind) -> AnswerRecord:
    """What became of one answer."""
    said = texts.response if kind is TargetKind.APPLICATION else None
    if mark == "?":
        return AnswerRecord(state=AnswerState.FAILED, reason=texts.failure)
    if mark == "0":
        return AnswerRecord(state=AnswerState.NOT_APPLICABLE, reason="refusal", response=said)
    flagged = mark == "-"
    at = texts.context.find(texts.evidence)
    evidence = EvidenceAnswer(context_id=of.contexts[0].id, start=at, end=at + len(texts.evidence), text=texts.evidence)
    claim = ClaimAnswer(
        start=0,
        end=len(texts.response),
        text=texts.response,
        verdict=Verdict.CONTRADICTED if flagged else Verdict.SUPPORTED,
        score=0.81 if flagged else 0.12,
        probability=None,
        evidence=evidence,
    )
    return AnswerRecord(
        state=AnswerState.SCORED,
        response=said,
        score=0.81 if flagged else 0.12,
        flagged=flagged,
        threshold=0.69,
        claims=(claim,),
        seconds=1.5,
    )


def record(
    answers: Mapping[str, str],
    texts: Texts,
    kind: TargetKind,
    *,
    fingerprint: str = "f" * 64,
    release: str | None = None,
) -> RunRecord:
    """A run by the marks of each item's repeats; items whose id begins with `ok` are labelled supported."""
    items = [(item(name, texts, hallucinated=not name.startswith("ok")), marks) for name, marks in answers.items()]
    return RunRecord(
        id=f"run-{release or texts.release}"[:64],
        set_name=texts.name,
        set_digest=set_digest([each for each, _ in items]),
        kind=kind,
        target="scorer" if kind is TargetKind.SCORER else "https://bot.example/ask",
        release=texts.release if release is None else release,
        git_commit="0123456789abcdef",
        fingerprint=fingerprint,
        repeats=max(len(marks) for marks in answers.values()),
        started_at=datetime(2026, 11, 27, 16, 3, tzinfo=UTC),
        items=tuple(
            ItemRecord(item=each, digest=item_digest(each), answers=tuple(answer(m, each, texts, kind) for m in marks))  # type: ignore[arg-type]
            for each, marks in items
        ),
    )


def reported(
    before: Mapping[str, str],
    now: Mapping[str, str],
    *,
    kind: TargetKind = TargetKind.APPLICATION,
    texts: Texts | None = None,
    margin: float | None = None,
    quarantined: Sequence[str] = (),
    floors_missed: tuple[str, ...] = (),
    known_missed: tuple[str, ...] = (),
    known: tuple[KnownAnswers | None, KnownAnswers | None] = (None, None),
) -> Report:
    """The report of two runs by their marks."""
    chosen = texts or Texts()
    baseline, candidate = (
        record(marks, chosen, kind).model_copy(update={"known_answers": asked})
        for marks, asked in zip((before, now), known, strict=True)
    )
    found = compare(baseline, candidate, margin=margin, quarantined=quarantined)
    return make_report(candidate, baseline, found, floors_missed=floors_missed, known_missed=known_missed)


def many(number: int, mark: str, start: str = "i") -> dict[str, str]:
    """That many items that end alike."""
    return {f"{start}-{place:03}": mark for place in range(number)}


def hostile(text: str) -> Texts:
    """The text in every field; the claim and its evidence are parts of what they are said to be of."""
    return Texts(
        question=text,
        context=f"{text} {text} {text}",
        evidence=text,
        response=text,
        category=text[:100],
        reason=text,
        name=text,
        release=text,
        failure=text,
    )
