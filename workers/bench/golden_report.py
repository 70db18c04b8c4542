"""What `assay bench golden` found, as a section of `docs/accuracy.md`."""

from collections.abc import Sequence

from service.core.intervals import interval
from workers.bench.golden_results import CategoryFigures, EndpointMeans, GateRuns, GoldenSetsResult, SetFigures
from workers.bench.markdown import section, table

AIM = 0.95


def golden_section(result: GoldenSetsResult) -> str:
    """The whole section."""
    text = (
        "The shipped scorer on the shipped golden sets (`golden_sets/`): minimal pairs, of which one version is supported and "
        "the other is not, written so that the share of words that a response has in common with its contexts does not tell "
        f"which. Found: hallucinated items that are flagged; passed: supported items that are not. Model `{result.model[:12]}`, "
        f"strict {result.strict:.3f} and balanced {result.balanced:.3f} for one claim, both rising with the number of claims."
    )
    parts = [
        _sets(result),
        *(_categories(each) for each in result.sets if each.name == "core"),
        "### What the gate says\n",
        _broken(result),
        _applications(result),
    ]
    return section("Golden sets", result.machine, text, "\n".join(parts))


def _share(part: int, whole: int) -> str:
    if not whole:
        return "none"
    low, high = interval(part / whole, whole, 0.95)
    return f"{part / whole:.0%} ({low:.0%} to {high:.0%})"


def _sets(result: GoldenSetsResult) -> str:
    rows = [
        [
            each.name,
            each.threshold,
            _share(each.total.found, each.total.hallucinated),
            _share(each.total.passed, each.total.supported),
            f"{each.auc:.3f}" + ("" if each.auc_low is None else f" ({each.auc_low:.3f} to {each.auc_high:.3f})"),
            f"{each.overlap_auc:.3f}",
            _share(each.total.ordered, each.total.pairs),
            str(each.unscored),
        ]
        for each in result.sets
    ]
    header = [
        "set",
        "threshold",
        "found",
        "passed",
        "AUC",
        "AUC of missing words",
        "pairs in the right order",
        "unscored",
    ]
    return "In brackets: 95% intervals, sampling error of items alone.\n\n" + table(header, rows)


def _categories(found: SetFigures) -> str:
    rows = [_category(each) for each in found.categories]
    return (
        f"**{found.name} by category, {found.threshold}**; of five pairs each, so that one category says little:\n\n"
        + table(["category", "found", "passed", "pairs in the right order"], rows)
    )


def _category(found: CategoryFigures) -> Sequence[str]:
    return [
        found.name,
        f"{found.found} of {found.hallucinated}",
        f"{found.passed} of {found.supported}",
        f"{found.ordered} of {found.pairs}",
    ]


def _broken(result: GoldenSetsResult) -> str:
    runs = result.broken[0].runs
    rows = [
        [each.what, each.over, each.right, *_verdicts(each), "; ".join(_mean(mean) for mean in each.means)]
        for each in result.broken
    ]
    return (
        f"**A scorer**, {runs} seeded runs each: the pairs of a set drawn anew with replacement, one repeat, the shipped margin. "
        "In the first two rows of sets nothing is wrong; in the others the scorer is broken as said. Rates are baseline > "
        "candidate, means of all runs.\n\n"
        + table(["what changed", "sets", "right", "runs right", "worse", "no worse", "cannot tell", "rates"], rows)
    )


def _applications(result: GoldenSetsResult) -> str:
    runs = result.applications[0].runs
    rows = [
        [each.over, each.what, each.right, *_verdicts(each), _flagged(each.means[0]), str(each.means[0].needed or "")]
        for each in result.applications
    ]
    return (
        f"**An application** that makes something up in {result.invents:.0%} of its answers, unchanged or in "
        f"{100 * result.more:.0f} points more, {runs} seeded runs each: questions of `core` drawn anew, every answer by chance "
        "the supported response or one that makes something up. What a scorer cannot see no gate can tell; so the same worlds "
        "are shown by labels alone, and by the shipped scorer.\n\n"
        + table(
            [
                "who looks, at what",
                "what changed",
                "right",
                "runs right",
                "worse",
                "no worse",
                "cannot tell",
                "flagged, margin",
                "items asked for, median",
            ],
            rows,
        )
    )


def _verdicts(found: GateRuns) -> Sequence[str]:
    right = f"{found.share_right:.1%}" + ("" if found.share_right >= AIM else " (aim 95% missed)")
    return [right, *(f"{number / found.runs:.1%}" for number in (found.worse, found.no_worse, found.cannot_tell))]


def _mean(mean: EndpointMeans) -> str:
    return f"{mean.name} {mean.baseline:.0%} > {mean.candidate:.0%} (margin {100 * mean.margin:.3g})"


def _flagged(mean: EndpointMeans) -> str:
    return f"{mean.baseline:.1%} > {mean.candidate:.1%}, {100 * mean.margin:.3g}"
