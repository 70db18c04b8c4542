"""What a fit has to say for itself, as lines of a terminal. Pure."""

from collections.abc import Iterator

from workers.combining.evaluation import Evaluation
from workers.combining.examples import SCORERS
from workers.combining.fitting import PENALTY
from workers.combining.folds import FOLDS, SEED
from workers.combining.plot import lines_of
from workers.combining.points import Point
from workers.combining.reliability import BINS, CONFIDENCE, Figure, Reliability

FINGERPRINT_CHARS = 12
PER_COEFFICIENT = 10  # labels of the rarer kind, for each coefficient (Peduzzi and others 1996)


def report(found: Evaluation) -> str:
    """Several lines: on what it was fitted, the coefficients, and the figures before and after."""
    return "\n".join(
        [
            *_fitted_to(found),
            "",
            *_coefficients(found),
            "",
            f"Read as a probability, cross-validated over {FOLDS} folds of whole sessions or documents (seed {SEED}):",
            *_table(found),
            "",
            "NLI score as it is",
            *lines_of(found.before),
            "fitted, on the folds that it was not fitted to",
            *lines_of(found.after),
            f"  | mean score of the bin, o share that people call hallucinated, {BINS} bins of equal weight at most",
            "",
            *_points(found),
        ]
    )


def _fitted_to(found: Evaluation) -> Iterator[str]:
    bad = found.hallucinated
    weighted = "" if found.effective > 0.999 * found.examples else f", in figures worth {found.effective:,.0f} alike"
    yield (
        f"{found.examples:,} labelled responses of {found.groups:,} sessions or documents: {bad:,} hallucinated, "
        f"{found.examples - bad:,} faithful{weighted}."
    )
    for scorer in SCORERS:
        if scorer in found.plan.present:
            lacking = found.examples - found.plan.present[scorer]
            yield f"  {scorer:<12} spoke of {found.plan.present[scorer]:,}, missing of {lacking:,}"
        elif scorer in found.plan.left_out:
            yield f"  {scorer:<12} not in the fit: {found.plan.left_out[scorer]}"
    for name in found.turned:
        yield f"  {name:<12} not in the fit: beside the others it points the wrong way"
    if found.left_out:
        yield f"  {found.left_out:,} more lack a scorer that hardly any other lacks, and are left out."
    rarer, needed = min(bad, found.examples - bad), PER_COEFFICIENT * _number(found)
    if rarer < needed:
        yield f"  These are few: from {needed} of each label on, the coefficients are steadier."


def _number(found: Evaluation) -> int:
    scorers = found.combination.scorers
    return 1 + sum(sum(slope > 0 for slope in each.slopes.values()) + (each.absent is not None) for each in scorers)


def _coefficients(found: Evaluation) -> Iterator[str]:
    yield f"Log odds that people call a response hallucinated (penalty {PENALTY:g} on standardised slopes):"
    yield f"  {'intercept':<22} {found.combination.intercept:+8.3f}"
    for scorer in found.combination.scorers:
        for name, slope in scorer.slopes.items():
            what = "x logit of nli" if name == "nli" else f"x {name}"
            yield f"  {what:<22} {slope:+8.3f}   {scorer.name} {scorer.fingerprint[:FINGERPRINT_CHARS]}"
        if scorer.absent is not None:
            yield f"  {scorer.name + ' missing':<22} {scorer.absent:+8.3f}"


def _table(found: Evaluation) -> Iterator[str]:
    wide = 28
    yield f"  {'':<26} {'calibration error':<{wide}} {'by chance':<10} Brier score"
    for name, each in (
        ("NLI score as it is", found.before),
        ("NLI score alone, fitted", found.alone),
        ("all scorers, fitted", found.after),
    ):
        if isinstance(each, Reliability):
            yield f"  {name:<26} {_span(each.error):<{wide}} {each.by_chance:<10.3f} {_span(each.brier)}"
    yield f"  The Brier score changed by {_signed(found.change)}; below 0 is better."
    if found.added is not None:
        yield f"  The scorers beside NLI are {_signed(found.added)} of it."
    yield f"  In brackets {CONFIDENCE:.0%} intervals. `by chance` is what a score without any error would show."


def _points(found: Evaluation) -> Iterator[str]:
    thresholds = found.combination.thresholds
    for name, threshold, each in (
        ("balanced", thresholds.balanced, found.balanced),
        ("strict", thresholds.strict, found.strict),
    ):
        yield f"{name:<9} from {threshold:.3f}: {_of(each)}"


def _of(each: Point) -> str:
    caught = "unknown" if each.sensitivity is None else f"{each.sensitivity:.1%}"
    passed = "unknown" if each.specificity is None else f"{each.specificity:.1%}"
    return f"flags {caught} of the hallucinated responses, lets pass {passed} of the faithful ones"


def _span(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _signed(figure: Figure) -> str:
    return f"{figure.value:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})"
