"""The ablation: what each idea of the pipeline and each stage of the training is worth, on development data.

    python -m models.training.ablate --data ../shared/data --checkpoint "start=DIR" --checkpoint "sets=DIR" ... \
        --json docs/accuracy/ablation.json --doc docs/accuracy/ablation.md

Every pair is read once by the bundled model; the variants of the pipeline put the same answers together otherwise. The
checkpoints are compared in float32, pair by pair, beside held-out made examples of each kind.
"""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.aggregate import ceiling
from models.load import BUNDLED, ScorerConfig, load_model
from models.training.answers import ReadClaim, ReadRow, read_all
from models.training.figures import Marked, balanced_point, mark
from models.training.rows import read_rows
from models.training.stages import held_out, kinds, mean, nli

SETS = (
    "summedits",
    "attributionbench",
    "wice_chunks",
    "factcheckgpt",
    "faceval",
    "falke",
    "bump",
    "quail",
    "healthver",
)
_SEED = 20261126
_RESAMPLES = 400
_EDGE = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One way to make a response's score, high is bad, of the answers."""

    name: str
    claim: Callable[[ReadClaim], float]  # ln of the odds against the claim
    response: Callable[[Sequence[float]], float] = max


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """What a variant reaches: means over the sets, and the difference to the pipeline as it is with a 95% interval."""

    name: str
    auc: float
    balanced_accuracy: float  # at its own one balanced point
    auc_change: float
    low: float
    high: float


def best(
    claim: ReadClaim, *, about: bool = True, numbers: bool = True, runs: bool = True, against: bool = True
) -> float:
    """The support that counts of a claim, each rule on or off."""
    return max(
        (
            min(
                read.support if against else read.entailment,
                ceiling(about=read.about or not about, founded=claim.founded or not numbers),
            )
            for read in claim.windows
            if runs or read.sentence
        ),
        default=0.0,
    )


def odds(support: float) -> float:
    """ln((1 - support) / support), bounded."""
    bounded = min(max(support, _EDGE), 1 - _EDGE)
    return math.log((1 - bounded) / bounded)


def _noisy_or(values: Sequence[float]) -> float:
    """Ln of the odds that some claim is bad, were they bad independently of each other."""
    good = math.fsum(-math.log1p(math.exp(min(value, 30.0))) for value in values)
    return math.log(max(-math.expm1(good), _EDGE)) - good


VARIANTS = (
    Variant(name="as it is", claim=lambda claim: odds(best(claim))),
    Variant(name="without the number rule", claim=lambda claim: odds(best(claim, numbers=False))),
    Variant(name="without the rule on what a window is about", claim=lambda claim: odds(best(claim, about=False))),
    Variant(name="entailment alone, contradiction or not", claim=lambda claim: odds(best(claim, against=False))),
    Variant(name="windows of one sentence only", claim=lambda claim: odds(best(claim, runs=False))),
    Variant(name="the whole context as one window", claim=lambda claim: odds(claim.whole)),
    Variant(
        name="best window and whole context, mean of log odds",
        claim=lambda claim: (odds(best(claim)) + odds(claim.whole)) / 2,
    ),
    Variant(
        name="the sentence before beside the claim, the better counts",
        claim=lambda claim: odds(max(best(claim), _before(claim))),
    ),
    Variant(
        name="the sentence before beside the claim, mean of log odds",
        claim=lambda claim: (odds(best(claim)) + odds(_before(claim) or best(claim))) / 2,
    ),
    Variant(name="claims by noisy-or", claim=lambda claim: odds(best(claim)), response=_noisy_or),
    Variant(name="claims by their mean", claim=lambda claim: odds(best(claim)), response=mean),
)


def _before(claim: ReadClaim) -> float:
    """Support with the sentence before, under the number rule; 0 where there is none."""
    return min(claim.previous or 0.0, ceiling(about=True, founded=claim.founded))


def score(rows: Sequence[ReadRow], variant: Variant) -> tuple[list[float], list[bool]]:
    """The variant's score of each row, and whether it is supported."""
    return [variant.response([variant.claim(claim) for claim in row.claims]) for row in rows], [
        row.supported for row in rows
    ]


def compare(sets: Mapping[str, Sequence[ReadRow]]) -> list[Worth]:
    """What each variant is worth; the intervals resample the rows of each set, the same for all variants."""
    drawn = np.random.default_rng(_SEED)
    picks = {name: drawn.integers(0, len(rows), (_RESAMPLES, len(rows))) for name, rows in sets.items()}
    worths: list[Worth] = []
    base: Any = None
    for variant in VARIANTS:
        scored = {name: score(rows, variant) for name, rows in sets.items()}
        marked = [mark(*each) for each in scored.values()]
        resampled = np.mean(
            [
                [_auc(np.array(scored[name][0])[pick], np.array(scored[name][1])[pick]) for pick in picks[name]]
                for name in sets
            ],
            axis=0,
        )
        base = resampled if base is None else base
        low, high = np.quantile(resampled - base, (0.025, 0.975))
        auc = mean([each.auc() for each in marked])
        worths.append(
            Worth(
                name=variant.name,
                auc=auc,
                balanced_accuracy=_balanced(marked),
                auc_change=auc - (worths[0].auc if worths else auc),
                low=float(low),
                high=float(high),
            )
        )
    return worths


def _balanced(marked: Sequence[Marked]) -> float:
    point = balanced_point(marked)
    return mean([each.balanced_accuracy(point) for each in marked])


def _auc(scores: Any, supported: Any) -> float:
    """ROC AUC; half for a draw of one label."""
    good, bad = np.sort(scores[supported]), scores[~supported]
    if not len(good) or not len(bad):
        return 0.5
    below = np.searchsorted(good, bad, "left") + np.searchsorted(good, bad, "right")
    return float(below.sum() / 2 / len(good) / len(bad))


def write(worths: Sequence[Worth], rows: int, stages: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The tables as Markdown."""
    lines = [
        "# What each idea was worth",
        "",
        "Written by `python -m models.training.ablate` (models/training/ablate.py says how). Kept by the command; do not edit.",
        "",
        "## Ways to put the same answers together",
        "",
        (
            f"{rows:,} rows of {len(SETS)} development sets ({', '.join(SETS)}), each set weighing the same; every window of "
            "every claim read by the bundled int8 model. AUC is the mean ROC AUC. BA is the mean balanced accuracy at each "
            "variant's own one threshold, chosen on these rows, so it is a little kind to all of them. The change is in AUC, "
            "with a 95% interval from resampled rows."
        ),
        "",
        "| variant | AUC | BA | change | 95% interval |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {worth.name} | {worth.auc:.3f} | {worth.balanced_accuracy:.3f} | {worth.auc_change:+.3f} "
        f"| {worth.low:+.3f} to {worth.high:+.3f} |"
        for worth in worths
    ]
    names = list(stages)
    lines += [
        "",
        "## Stages of the training",
        "",
        "Share of pairs told rightly, float32, every pair read as it is.",
        "",
    ]
    for part, title in (
        ("nli", "three classes, development sets"),
        ("kinds", "entailed or not, made examples that were not learned from"),
    ):
        lines += [f"| {title} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        lines += [
            f"| {row} | " + " | ".join(f"{stages[name][part][row]:.3f}" for name in names) + " |"
            for row in stages[names[0]][part]
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measures and writes both files."""
    parser = argparse.ArgumentParser(description="Measure what each idea is worth.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with train/ and dev/")
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--rows-each", type=int, default=200)
    parser.add_argument("--checkpoint", action="append", default=[], help="NAME=FOLDER; in the order of the columns")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--doc", type=Path, required=True)
    arguments = parser.parse_args()

    model = load_model(ScorerConfig(folder=arguments.model))
    sets = {}
    for name in SETS:
        sets[name] = read_all(model, read_rows(arguments.data / "dev" / f"{name}.jsonl.gz", arguments.rows_each, _SEED))
        print(f"{name}: {len(sets[name])} rows", flush=True)
    worths = compare(sets)
    made = held_out(arguments.data, 150)
    stages: dict[str, dict[str, dict[str, float]]] = {}
    for named in arguments.checkpoint:
        name, _, folder = named.partition("=")
        stages[name] = {
            "nli": nli(Path(folder), arguments.data / "dev", 1500),
            "kinds": kinds(Path(folder), made),
        }
        print(f"{name}: {stages[name]['nli']}", flush=True)
    rows = sum(map(len, sets.values()))
    arguments.json.write_text(
        json.dumps({"rows": rows, "variants": [asdict(worth) for worth in worths], "stages": stages}, indent=2) + "\n"
    )
    arguments.doc.write_text(write(worths, rows, stages), encoding="utf-8")


if __name__ == "__main__":
    main()
