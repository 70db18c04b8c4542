"""`assay bench accuracy`: how well the pipeline tells supported responses from others, on labelled rows."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from models.calibrate import BALANCED, PLAIN, Calibration, load_calibration
from models.load import Model, ScorerConfig, load_model, make_nli
from models.training.calibrate import CHOOSING_SETS, Graded, choose, chooses, grade
from models.training.figures import balanced_point, mark
from models.training.rows import Row, read_rows, set_name
from models.types import NotApplicable, Scored, Scorer, Unscored
from workers.bench.baselines import overlap_scores, right_classes, whole_scores
from workers.bench.detection_figures import (
    Judged,
    detected,
    domains_of,
    float32_beside,
    lowered,
    mean_detected,
    pairwise_of,
    reliability_of,
    sizes_of,
)
from workers.bench.detection_results import DetectionResult, Detector, Float32, SetRows
from workers.bench.machine import describe_machine
from workers.bench.results import BenchError

SEED = 20261126
NLI_SETS = ("mnli", "lingnli", "anli")
_BATCH = 200  # rows
_FLOAT32_ROWS = 100  # of each set


@dataclass(frozen=True, kw_only=True, slots=True)
class SetJudged:
    """One set as the pipeline judged it."""

    name: str
    rows: tuple[Row, ...]  # with a score
    judged: tuple[Judged, ...]  # of the same
    left_out: dict[str, int]

    def reported(self) -> list[int]:
        """Positions of the rows that did not choose the thresholds."""
        return [at for at, row in enumerate(self.rows) if self.name not in CHOOSING_SETS or not chooses(row)]

    def choosing(self) -> list[int]:
        """Positions of the rows that did; none of a set that chose nothing."""
        return [at for at, row in enumerate(self.rows) if self.name in CHOOSING_SETS and chooses(row)]


def bench_detection(
    data: Path,
    config: ScorerConfig,
    previous: Path | None,
    checkpoint: Path | None,
    rows_each: int | None,
    console: Console,
) -> DetectionResult:
    """Measures every set of the folder. Raises BenchError, ModelError."""
    machine = describe_machine()
    config = replace(config, threshold="balanced")
    model = load_model(config)
    calibration = _calibration(config, model)
    scorer = make_nli(config, model, calibration)
    sets = [
        _judge(set_name(path), _read(path, rows_each), scorer, calibration, console)
        for path in sorted(data.glob("*.jsonl.gz"))
    ]
    if not sets:
        raise BenchError(
            f"{data} holds no sets.", next_step="Name a folder of *.jsonl.gz with lines {premise, hypothesis, label}."
        )
    scored = {each.name: [judged.lowered for judged in each.judged] for each in sets}
    detectors = [_detector("Assay", sets, scored, BALANCED)]
    console.print("baselines")
    baselines: dict[str, Callable[[SetJudged], list[float]]] = {
        "word overlap": lambda each: overlap_scores(each.rows),
        "the whole document as one pair": lambda each: whole_scores(each.rows, model),
    }
    for name, scores_of in baselines.items():
        others = {each.name: scores_of(each) for each in sets}
        detectors.append(_detector(name, sets, others, _point(sets, others)))
    if previous is not None:
        console.print("the previous weights")
        detectors.append(_previous(previous, sets))
    judged = {each.name: [each.judged[at] for at in each.reported()] for each in sets}
    return DetectionResult(
        machine=machine,
        seed=SEED,
        rows_each=rows_each,
        model=scorer.fingerprint,
        strict=calibration.threshold("strict"),
        rise=calibration.rise,
        sets=tuple(_rows_of(each) for each in sets),
        detectors=tuple(detectors),
        domains=domains_of(judged, SEED),
        pairwise=pairwise_of(judged),
        classes={each.name: right_classes(each.rows, model) for each in sets if each.name in NLI_SETS},
        sizes=sizes_of(judged),
        reliability=reliability_of(judged),
        float32=None if checkpoint is None else _float32(checkpoint, sets, calibration, console),
    )


def _read(path: Path, rows_each: int | None) -> list[Row]:
    try:
        return read_rows(path, rows_each or 10**9, SEED)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path.name} holds no rows: {type(error).__name__}.") from None


def _calibration(config: ScorerConfig, model: Model) -> Calibration:
    path = config.calibration or model.calibration
    if path is None:
        raise BenchError(
            "This model has no calibration: where it flags is not known.",
            next_step="Make one with `assay calibrate` and set ASSAY_NLI_CALIBRATION to it.",
        )
    return load_calibration(path, model.digest)


def _judge(name: str, rows: Sequence[Row], scorer: Scorer, calibration: Calibration, console: Console) -> SetJudged:
    graded, left_out = _grade(rows, scorer)
    console.print(f"{name}: {len(graded)} of {len(rows)} rows have a score")
    return SetJudged(
        name=name,
        rows=tuple(row for row, _ in graded),
        judged=tuple(Judged.of(row, grade, calibration) for row, grade in graded),
        left_out=left_out,
    )


def _grade(rows: Sequence[Row], scorer: Scorer) -> tuple[list[tuple[Row, Graded]], dict[str, int]]:
    graded: list[tuple[Row, Graded]] = []
    left_out: Counter[str] = Counter()
    for at in range(0, len(rows), _BATCH):
        part = rows[at : at + _BATCH]
        for row, outcome in zip(part, scorer.score([row.item for row in part], lambda: None), strict=True):
            if isinstance(outcome, Scored):
                graded.append((row, grade(outcome, supported=row.supported)))
            elif isinstance(outcome, NotApplicable | Unscored):
                left_out[outcome.reason.value] += 1
    return graded, dict(left_out)


def _detector(name: str, sets: Sequence[SetJudged], scores: dict[str, list[float]], point: float) -> Detector:
    found = {
        each.name: detected([scores[each.name][at] for at in reported], [each.rows[at] for at in reported], point, SEED)
        for each in sets
        if (reported := each.reported())
    }
    return Detector(name=name, sets={key: value.figures for key, value in found.items()}, mean=mean_detected(found))


def _point(sets: Sequence[SetJudged], scores: dict[str, list[float]]) -> float:
    """The one balanced threshold, on the rows that chose ours; on all rows where none did."""
    chosen = [
        mark([scores[each.name][at] for at in places], [each.rows[at].supported for at in places])
        for each in sets
        if (places := each.choosing())
    ] or [mark(scores[each.name], [row.supported for row in each.rows]) for each in sets]
    return balanced_point(chosen)


def _previous(folder: Path, sets: Sequence[SetJudged]) -> Detector:
    """Other weights under the same rules, their points chosen on the same rows."""
    config = ScorerConfig(folder=folder, threshold="balanced")
    scorer = make_nli(config, load_model(config), PLAIN)
    graded = {each.name: _grade_all(each.rows, scorer) for each in sets}
    choosing = [[graded[each.name][at] for at in places] for each in sets if (places := each.choosing())]
    calibration = choose(choosing or list(graded.values()))
    scores = {
        name: [lowered(calibration.score(1 - row.score), len(row.claims), calibration) for row in rows]
        for name, rows in graded.items()
    }
    return _detector("the previous weights", sets, scores, BALANCED)


def _grade_all(rows: Sequence[Row], scorer: Scorer) -> list[Graded]:
    """Grades of rows that another scorer has scored. Raises BenchError where this one does not."""
    graded, left_out = _grade(rows, scorer)
    if left_out:
        raise BenchError(f"What one model scored another did not: {left_out}.")
    return [grade for _, grade in graded]


def _rows_of(each: SetJudged) -> SetRows:
    reported = [each.rows[at] for at in each.reported()]
    return SetRows(
        name=each.name,
        rows=len(reported),
        supported=sum(row.supported for row in reported),
        documents=len({row.group for row in reported}),
        chose=len(each.rows) - len(reported),
        left_out=each.left_out,
    )


def _float32(checkpoint: Path, sets: Sequence[SetJudged], calibration: Calibration, console: Console) -> Float32:
    console.print("float32")
    config = ScorerConfig(model=str(checkpoint), threshold="balanced", languages=("en",))
    scorer = make_nli(config, load_model(config), calibration)
    both = {}
    for each in sets:
        places = each.reported()[:_FLOAT32_ROWS]
        rows = [each.rows[at] for at in places]
        full = [Judged.of(row, grade, calibration) for row, grade in zip(rows, _grade_all(rows, scorer), strict=True)]
        both[each.name] = ([each.judged[at] for at in places], full)
    return float32_beside(both)
