"""The section on robustness of `docs/accuracy.md`, written from what `assay bench robustness` measured."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from service.core.intervals import wilson
from workers.bench.attacks import ATTACKS
from workers.bench.markdown import rounded, section, table
from workers.bench.robustness_results import (
    Company,
    Counts,
    RobustnessResult,
    SetResult,
    Settling,
    Shift,
)
from workers.bench.transformations import TRANSFORMATIONS, Kind

Part = TypeVar("Part", bound=Counts)

CLEARED = "flagged at strict, and no longer"
VIOLATIONS_AIM, COMPANY_AIM = "under 0.5%", 1e-5
HELPED = {
    "own_words": "the response itself, quoted as another context",
    "own_passage": "of rows labelled supported: their own context, beside two irrelevant ones",
}
LAST = {
    "elsewhere": "of a row whose own context is left out: the contexts are of other sets",
    "labelled": "of a row labelled not supported, its own context among the others",
}
DILUTED = {"append_context": "one passage", "shuffle": "two passages"}
KINDS = {
    Kind.ADDED: "text added",
    Kind.JOINED: "in the same line",
    Kind.PARTED: "parted between sentences",
    Kind.CUT: "cut within a sentence",
}


def robustness_section(result: RobustnessResult) -> str:
    """What `assay bench robustness` measured."""
    rows, claims = sum(each.rows for each in result.sets), sum(each.claims for each in result.sets)
    text = (
        f"{rows:,} labelled rows, drawn by a seed from {len(result.sets)} sets of development data (of sets with long "
        f"contexts fewer), and the {claims:,} claims of their responses that have a score. Each row is scored as it is, "
        "and again with something changed that should change nothing, or should change it one way. Irrelevant text is "
        "passages of other sets. *Supported* is a score under "
        f"{result.balanced:g}, the balanced point; `strict`, the default threshold, flags from {result.strict:.3f}. Pairs "
        "that one row has in several variants are read once. In brackets: counts, and Wilson's 95% interval. Model "
        f"`{result.model[:12]}`."
    )
    parts = [
        *_transformed_tables(result.sets),
        *_set_table(result.sets),
        *_diluted_table(result.sets),
        *_helped_table(result.sets),
        *_long_tables(result),
        *_attack_tables(result.sets),
        *_company_table(result.company),
        _settling_text(_totals(result.sets, lambda each: (each.settling,))[0], result.accepted),
    ]
    return section("Robustness", result.machine, text, "\n".join(parts))


def _transformed_tables(sets: Sequence[SetResult]) -> Iterable[str]:
    totals = {shift.name: shift for shift in _totals(sets, lambda each: each.transformed)}
    rows = [
        [
            each.about,
            _share(totals[each.name].doubted, totals[each.name].supported),
            _share(totals[each.name].flagged, totals[each.name].supported),
            _share(totals[each.name].newly_flagged, totals[each.name].passed),
            _rise(totals[each.name].greatest_rise),
            "0" if each.kind is Kind.ADDED else VIOLATIONS_AIM,
        ]
        for each in TRANSFORMATIONS
    ]
    yield "**Contexts told otherwise.** Of the claims that were supported, or not flagged, before:\n"
    yield table(
        (
            "what was changed",
            "supported, and no longer",
            "supported, and flagged at strict",
            "not flagged, and flagged at strict",
            "greatest rise of a score",
            "aim",
        ),
        rows,
    )
    yield (
        "Windows are sentences and short runs of them, and text that is added beside a context's sentences adds windows "
        "and takes none away: the first rows are 0 by construction. In the same line a sentence without its full stop "
        "runs into its neighbour, and a quotation mark without its other half hides where sentences end up to the next. What two sentences say only together is no longer read where something stands between "
        "them, and a sentence in two halves is in no window at all. The place of a cut is drawn at random. "
        f"{_missing(totals.values())}\n"
    )


def _set_table(sets: Sequence[SetResult]) -> Iterable[str]:
    rows = [
        [
            each.name,
            f"{each.rows:,}",
            _reasons(each),
            f"{each.claims:,}",
            _percent(each.supported, each.claims),
            _percent(each.passed, each.claims),
            *(_of_kind(each, kind) for kind in KINDS),
        ]
        for each in sets
    ]
    yield "By set; in the last columns, the supported claims that were so no longer, of all trials of the kind:\n"
    yield table(
        ("set", "rows", "without a score", "claims", "supported", "not flagged at strict", *KINDS.values()), rows
    )


def _of_kind(result: SetResult, kind: Kind) -> str:
    named = {each.name for each in TRANSFORMATIONS if each.kind is kind}
    shifts = [shift for shift in result.transformed if shift.name in named]
    return f"{sum(shift.doubted for shift in shifts):,} of {sum(shift.supported for shift in shifts):,}"


def _diluted_table(sets: Sequence[SetResult]) -> Iterable[str]:
    transformed = [shift for shift in _totals(sets, lambda each: each.transformed) if shift.name in DILUTED]
    rows = [
        [DILUTED.get(shift.name, shift.name), *_gained(shift)]
        for shift in [*transformed, *_totals(sets, lambda each: each.diluted)]
    ]
    yield (
        "**What irrelevant text costs.** It takes no support away, but each sentence is one more that the model may "
        "wrongly find to entail a claim. Of the claims that were not supported, or flagged, beside their own context:\n"
    )
    yield table(("irrelevant contexts that were added", "not supported, and supported after", CLEARED), rows)


def _gained(shift: Shift) -> list[str]:
    return [
        _share(shift.admitted, shift.claims - shift.supported),
        _share(shift.cleared, shift.claims - shift.passed),
    ]


def _helped_table(sets: Sequence[SetResult]) -> Iterable[str]:
    rows = [
        [
            HELPED[shift.name],
            f"{shift.claims:,}",
            f"{shift.raised:,}",
            _percent(shift.supported, shift.claims),
            _percent(shift.supported_after, shift.claims),
        ]
        for shift in _totals(sets, lambda each: each.helped)
    ]
    yield "**A supporting passage** never raises a score (aim: 0 raised):\n"
    yield table(("what was added", "claims", "raised", "supported before", "supported after"), rows)


def _long_tables(result: RobustnessResult) -> Iterable[str]:
    quoted = [
        [
            f"{each.name}",
            _share(each.supported, each.claims),
            _share(each.passed, each.claims),
            f"{each.cited:,} of {each.supported:,}",
        ]
        for each in _totals(result.sets, lambda each: each.quoted)
    ]
    yield (
        f"**Long texts.** A response quoted to the letter at the end of {result.context_words:,} words of irrelevant text "
        "is found there:\n"
    )
    yield table(
        ("quoted", "claims supported", "not flagged at strict", "evidence is the quotation, of the supported"), quoted
    )
    last = [
        [
            LAST[each.name],
            _share(each.balanced, each.responses),
            _share(each.strict, each.responses),
            f"{each.short_balanced:,}, {each.short_strict:,}",
            f"{each.as_alone:,} of {each.responses:,}",
            f"{each.copied_flagged:,} of {each.copied:,}",
        ]
        for each in _totals(result.sets, lambda each: each.last)
    ]
    yield (
        f"A last sentence after {result.response_words:,} words that are copied from the contexts (*as alone*: with the "
        "score that it has as the whole response beside the same contexts, to the bit):\n"
    )
    yield table(
        (
            "the last sentence",
            "flagged at balanced",
            "flagged at strict",
            "both, beside its own context only",
            "as alone",
            "copied sentences flagged at strict",
        ),
        last,
    )


def _attack_tables(sets: Sequence[SetResult]) -> Iterable[str]:
    rows = [
        [
            f"`{shift.name}`" if shift.name in ATTACKS else shift.name,
            *_gained(shift),
        ]
        for shift in _totals(sets, lambda each: each.attacked)
    ]
    yield (
        "**Instructions in a context**, added to the contexts of responses with a claim that is not supported. The last row "
        "is what any other text does; only what goes beyond it obeys an instruction:\n"
    )
    yield table(("the context", "not supported, and supported after", CLEARED), rows)
    injected = [
        [
            {"append_paragraph": "after a blank line", "append_space": "after a space"}[shift.name],
            f"{shift.claims:,}",
            f"{shift.changed:,}",
            f"{shift.missing:,}",
        ]
        for shift in _totals(sets, lambda each: each.injected)
    ]
    yield (
        "One of the instructions, drawn for each row, after the response: its other claims do not change (aim: 0 changed). "
        "After a space, a response without its full stop runs into what follows:\n"
    )
    yield table(("added", "claims", "changed", "no longer a claim of their own"), injected)


def _company_table(company: Sequence[Company]) -> Iterable[str]:
    rows = [[each.way, f"{each.pairs:,}", f"{each.different:,}", _rise(each.greatest)] for each in company]
    yield (
        "**The same answer in any company.** Pairs of all sets, beside the answers to each of them alone on one thread "
        f"(aim: {COMPANY_AIM:g} at most):\n"
    )
    yield table(("asked", "pairs", "different", "greatest difference"), rows)


def _settling_text(total: Settling, accepted: float) -> str:
    return (
        f"**Reading ends early** at the first window that entails a claim with {accepted:.0%}. Beside reading every window, "
        f"of {total.responses:,} responses: {total.verdicts:,} of {total.claims:,} claims have the same verdict, "
        f"{total.scores:,} the same score to the bit, {total.evidence:,} the same evidence; {total.pairs:,} of "
        f"{total.pairs_exhaustive:,} pairs were needed, {_percent(total.pairs, total.pairs_exhaustive)}.\n"
    )


def _totals(sets: Sequence[SetResult], part: Callable[[SetResult], Sequence[Part]]) -> list[Part]:
    """The same parts of every set, added up, in their order."""
    return [type(parts[0]).total(parts) for parts in zip(*map(part, sets), strict=True)]


def _share(part: int, whole: int) -> str:
    if not whole:
        return "none"
    low, high = wilson(part / whole, whole, 0.95)
    return f"{part / whole:.2%} ({part:,} of {whole:,}; {low:.2%} to {high:.2%})"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _rise(value: float) -> str:
    return rounded(value) if value else "0"


def _missing(shifts: Iterable[Shift]) -> str:
    missing = sum(shift.missing for shift in shifts)
    return f"{missing:,} times a claim had no score after the change." if missing else "Every claim kept a score."


def _reasons(result: SetResult) -> str:
    reasons = {**result.not_applicable, **result.unscored}
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in reasons.items())
