"""What `assay bench golden` found, as a section of `docs/accuracy.md`."""

from collections.abc import Sequence

from service.core.intervals import interval
from workers.bench.golden_results import CategoryFigures, EndpointMeans, GateRuns, GoldenSetsResult, SetFigures
from workers.bench.markdown import section, table

AIM = 0.95
VERDICTS = ("right", "runs right", "worse", "no worse", "cannot tell")


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
        _scorers(result),
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


def _scorers(result: GoldenSetsResult) -> str:
    runs = result.scorers[0].scenes[0].runs
    rows = [
        [sight.name, each.what, each.right, *_verdicts(each), *_unasked(each), *(_mean(mean) for mean in each.means)]
        for sight in result.scorers
        for each in sight.scenes
    ]
    scenes = result.scorers[0].scenes
    margin, moved = (next(100 * each.margin for each in scenes if each.moved is is_moved) for is_moved in (False, True))
    return (
        f"**A scorer** over `core`, {runs} seeded runs each: pairs drawn anew with replacement, one repeat, the shipped "
        f"margin of {margin:.3g} points, and {moved:.3g} where baseline and candidate were scored on two kinds of processors. "
        "The scorer is asked the known answers too, as in every run: these are the probes as "
        "they are, not drawn anew, so one that has lost them is worse in all runs. Beside that stands what `core` shows by "
        "itself. Shares are baseline > candidate, means of all runs.\n\n"
        + table(
            [
                *("threshold", "what changed", *VERDICTS),
                *("known answers right", "runs right by core alone", "missed", "false alarms"),
            ],
            rows,
        )
    )


def _applications(result: GoldenSetsResult) -> str:
    runs = result.applications[0].scenes[0].runs
    rows = [
        [
            sight.name,
            *(_right(each) for each in sight.scenes),
            _mean(sight.scenes[2].means[0]),
            str(sight.scenes[-1].means[0].needed or "none"),
        ]
        for sight in result.applications
    ]
    header = [
        "seen by, made up",
        *(f"{each.what}, {each.items} questions: {each.right}" for each in result.applications[0].scenes),
        "flagged",
        "items asked for",
    ]
    margins = [100 * each.margin for each in result.applications[0].scenes]
    return (
        f"**An application** over the questions of `core`, each asked {result.applications[0].scenes[0].repeats} times, {runs} "
        f"seeded runs each. Before, it makes something up in its answers to {result.invents:.0%} of the questions; flakes turn "
        f"answers by chance; the worse one makes something up in {100 * result.more:.0f} points more of its answers, each by "
        "chance. The table has the share of runs with the verdict that is right (in italics: below 95%), at shipped margins of "
        f"{margins[0]:.3g} points for 100 questions, {margins[3]:.3g} for 400 (those of `core`, drawn with replacement) and "
        f"{margins[4]:.3g} for 20; what the 100 questions were flagged before and after; and how many items the runs with 20 "
        "questions asked for (median). **What the scorer does not see no gate can tell**: the same worlds are shown by labels "
        "alone, and by the shipped scorer.\n\n" + table(header, rows)
    )


def _verdicts(found: GateRuns) -> Sequence[str]:
    right = f"{found.share_right:.1%}" + ("" if found.share_right >= AIM else ", below 95%")
    return [right, *(f"{number / found.runs:.1%}" for number in (found.worse, found.no_worse, found.cannot_tell))]


def _unasked(found: GateRuns) -> Sequence[str]:
    if found.known is None or found.right_unasked is None:
        return ["not asked", ""]
    return [str(found.known), f"{found.right_unasked / found.runs:.1%}"]


def _right(found: GateRuns) -> str:
    return f"{found.share_right:.1%}" if found.share_right >= AIM else f"*{found.share_right:.1%}*"


def _mean(mean: EndpointMeans) -> str:
    return f"{mean.baseline:.0%} > {mean.candidate:.0%}"
