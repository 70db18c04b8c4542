"""The calibration run: the whole pipeline over development data, then the balanced and the strict point.

    python -m models.training.calibrate --model models/bundled --data ../shared/data/dev

Half of each set's documents choose the points, the other half gives the figures that are printed. Each set weighs the
same. There is ONE balanced point for all sets, that of the greatest mean balanced accuracy; the strict point is the
lowest score at which 95% of supported responses, on average over the sets, are below it. Both rise with the number of
claims as chance alone makes the worst of several claims worse. Support is accepted from the lowest level on at which
telling no more apart costs the mean ROC AUC at most 0.005.
"""

import argparse
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.calibrate import BALANCED, PLAIN, Calibration, e_folds, save_calibration
from models.load import ScorerConfig, load_model, make_nli
from models.training.figures import Marked, balanced_point, mark, strict_point
from models.training.rows import Row, read_rows, set_name
from models.types import Scored, Scorer

# Claims and summaries, single and several, against passages, pages, dialogues and reports; the others are kept apart.
CHOOSING_SETS = ("attributionbench", "summedits", "wice_chunks", "factcheckgpt", "faceval")
ROWS_EACH = 600

_SEED = 7
_SPECIFICITY = 0.95
_AUC_LOSS = 0.005
_ACCEPTED = tuple(level / 100 for level in range(50, 100, 5))  # entailments from which a claim may be settled
_ROWS_PER_CALL = 50
_EDGE = 1e-6
_TAIL = 0.1  # share of the claims of supported rows whose scores are its tail


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """One scored row."""

    score: float  # plain, 0..1, of its worst claim
    claims: tuple[float, ...]  # plain scores of its checked claims, at least one
    supported: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One set: its scored rows in two halves, and how many rows got no score."""

    name: str
    choosing: tuple[Graded, ...]
    reporting: tuple[Graded, ...]
    left_out: int  # not applicable or unscored


def logit(score: float) -> float:
    """ln(score / (1 - score)), bounded as the calibration bounds it."""
    bounded = min(max(score, _EDGE), 1 - _EDGE)
    return math.log(bounded / (1 - bounded))


def measure(scorer: Scorer, name: str, rows: Sequence[Row], progress: Callable[[int], None]) -> Measured:
    """Scores the rows of one set; calls `progress` with how many are done. Raises ValueError for rows of one label."""
    scored: list[tuple[Row, Graded]] = []
    for at in range(0, len(rows), _ROWS_PER_CALL):
        part = rows[at : at + _ROWS_PER_CALL]
        outcomes = scorer.score([row.item for row in part], lambda: None)
        scored.extend(
            (row, grade(outcome, supported=row.supported))
            for row, outcome in zip(part, outcomes, strict=True)
            if isinstance(outcome, Scored)
        )
        progress(at + len(part))
    choosing, reporting = (tuple(graded for row, graded in scored if chooses(row) is side) for side in (True, False))
    for half in (choosing, reporting):
        marked(half)
    return Measured(name=name, choosing=choosing, reporting=reporting, left_out=len(rows) - len(scored))


def grade(outcome: Scored, *, supported: bool) -> Graded:
    """What the figures need of an outcome."""
    claims = tuple(claim.score for claim in outcome.claims if claim.score is not None)
    return Graded(score=outcome.score, claims=claims, supported=supported)


def marked(rows: Sequence[Graded], rise: float = 0.0, least: float = 0.0) -> Marked:
    """The rows' plain scores, made comparable between numbers of claims, apart by label.

    A score below `least` counts as that. Its logit is lowered by `rise` times ln of the number of claims. Raises
    ValueError for rows of one label.
    """
    scores = [_sigmoid(logit(max(row.score, least)) - rise * e_folds(len(row.claims))) for row in rows]
    return mark(scores, [row.supported for row in rows])


def choose(sets: Sequence[Sequence[Graded]]) -> Calibration:
    """The calibration that puts the balanced point of these rows at 0.5."""
    rise = fit_rise(sets)
    marks = [marked(rows, rise) for rows in sets]
    slope = fit_slope(marks)
    intercept = -slope * _just_below(marks, balanced_point(marks))
    strict = _sigmoid(slope * _just_below(marks, strict_point(marks, _SPECIFICITY)) + intercept)
    calibration = replace(PLAIN, slope=slope, intercept=intercept, strict=max(strict, BALANCED), rise=slope * rise)
    return replace(calibration, accepted=choose_accepted(sets, calibration))


def fit_rise(sets: Sequence[Sequence[Graded]]) -> float:
    """By how much the worst of several good claims rises with ln of their number, in units of the plain logit.

    Where the tail of one claim's score falls by 1/b, the greatest of n independent ones rises by b ln n (extreme values
    of the exponential kind; Coles 2001, An Introduction to Statistical Modeling of Extreme Values, section 3.1). b is the
    mean excess of the worst tenth of all claims of supported rows over the rest. 0 where every row has one claim.
    """
    supported = [row for rows in sets for row in rows if row.supported]
    if all(len(row.claims) == 1 for row in supported):
        return 0.0
    claims = sorted(logit(score) for row in supported for score in row.claims)
    first = int(len(claims) * (1 - _TAIL))
    tail = claims[first:]
    return sum(value - claims[first] for value in tail) / len(tail)


def choose_accepted(sets: Sequence[Sequence[Graded]], calibration: Calibration) -> float:
    """The lowest support of a supported claim from which on telling responses apart costs more than it tells."""
    rise = calibration.rise / calibration.slope
    full = sum(marked(rows, rise).auc() for rows in sets) / len(sets)
    for level in _ACCEPTED:
        if calibration.score(level) < BALANCED:
            saturated = sum(marked(rows, rise, 1 - level).auc() for rows in sets) / len(sets)
            if saturated >= full - _AUC_LOSS:
                return level
    return 1.0


def fit_slope(sets: Sequence[Marked]) -> float:
    """Slope of the logistic regression of unsupported on logit(score), each set weighing the same; at least 0.1."""
    rows = [
        (logit(score), target, 1 / (len(marked.good) + len(marked.bad)))
        for marked in sets
        for target, scores in ((0.0, marked.good), (1.0, marked.bad))
        for score in scores
    ]
    slope = intercept = 0.0
    for _ in range(25):
        gradient, curvature = [0.0, 0.0], [0.0, 0.0, 0.0]
        for at, target, weight in rows:
            guess = 1 / (1 + math.exp(-slope * at - intercept))
            error, spread = weight * (guess - target), weight * guess * (1 - guess)
            gradient = [gradient[0] + error * at, gradient[1] + error]
            curvature = [curvature[0] + spread * at * at, curvature[1] + spread * at, curvature[2] + spread]
        determinant = curvature[0] * curvature[2] - curvature[1] ** 2
        slope -= (curvature[2] * gradient[0] - curvature[1] * gradient[1]) / determinant
        intercept -= (curvature[0] * gradient[1] - curvature[1] * gradient[0]) / determinant
    return max(slope, 0.1)


def table(sets: Sequence[Measured], calibration: Calibration) -> str:
    """The figures on the reporting halves as a Markdown table."""
    points = [_plain_score(calibration, calibration.threshold(point)) for point in ("balanced", "strict")]
    least = 1 - calibration.accepted
    lines = [
        "| set | rows | AUC | specificity | sensitivity | BA | strict specificity | strict sensitivity | left out |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    columns: list[list[float]] = []
    for measured in sets:
        half = marked(measured.reporting, calibration.rise / calibration.slope, least)
        row = [half.auc(), half.specificity(points[0]), half.sensitivity(points[0])]
        row += [half.balanced_accuracy(points[0]), half.specificity(points[1]), half.sensitivity(points[1])]
        columns.append(row)
        lines.append(_line(measured.name, str(len(measured.reporting)), row, str(measured.left_out)))
    lines.append(_line("mean", "", [sum(column) / len(sets) for column in zip(*columns, strict=True)], ""))
    return "\n".join(lines)


def calibrate(folder: Path, paths: Sequence[Path], rows_each: int) -> str:
    """Chooses the points of the model in `folder`, writes its calibration.json; returns points and figures as text."""
    config = ScorerConfig(folder=folder, threshold="balanced")
    model = load_model(config)
    scorer = make_nli(config, model, PLAIN)
    sets = [measure(scorer, set_name(path), read_rows(path, rows_each, _SEED), lambda _: None) for path in paths]
    calibration = choose([measured.choosing for measured in sets])
    save_calibration(calibration, folder / "calibration.json", model.digest)
    balanced, strict = (1 - _plain_score(calibration, calibration.threshold(point)) for point in ("balanced", "strict"))
    return "\n".join(
        (
            str(calibration),
            f"balanced: support {balanced:.3f}; strict: support {strict:.3f}",
            f"rise: {calibration.rise:.3f} of the logit for each e-fold of claims",
            f"accepted: support {calibration.accepted:.2f}, a score of {calibration.least:.3f}",
            table(sets, calibration),
        )
    )


def main() -> None:
    """Calibrates, writes calibration.json into the model's folder and prints the figures."""
    parser = argparse.ArgumentParser(description="Choose the operating points of a model on development data.")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the development sets")
    parser.add_argument("--rows-each", type=int, default=ROWS_EACH)
    arguments = parser.parse_args()
    print(calibrate(arguments.model, choosing_paths(arguments.data), arguments.rows_each))


def choosing_paths(folder: Path) -> list[Path]:
    """The files of the sets that choose the points of the bundled model."""
    return [folder / f"{name}.jsonl.gz" for name in CHOOSING_SETS]


def chooses(row: Row) -> bool:
    """Whether the row's document is of the half that chooses; the same on every machine."""
    document = "\n".join(context.text for context in row.item.contexts)
    return hashlib.sha256(document.encode()).digest()[0] % 2 == 0


def _just_below(sets: Sequence[Marked], threshold: float) -> float:
    """The logit midway between `threshold` and the next score below it, so that no rounding moves a row across."""
    below = max((score for marked in sets for score in (*marked.good, *marked.bad) if score < threshold), default=None)
    return logit(threshold) if below is None else (logit(threshold) + logit(below)) / 2


def _plain_score(calibration: Calibration, score: float) -> float:
    """The plain score that `calibration` turns into `score`."""
    return _sigmoid((logit(score) - calibration.intercept) / calibration.slope)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _line(name: str, rows: str, values: Sequence[float], left_out: str) -> str:
    cells = [name, rows, *(f"{value:.3f}" for value in values), left_out]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
