"""The ablation: what each idea of the pipeline and each stage of the training is worth, on development data.

    python -m models.training.ablate --data ../shared/data --checkpoint "start=DIR" --checkpoint "sets=DIR" ... \
        --json docs/accuracy/ablation.json --doc docs/accuracy/ablation.md

Every pair is read once by the bundled model; the variants of the pipeline put the same answers together otherwise. The
checkpoints are compared in float32, pair by pair, beside held-out made examples of each kind.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from models.aggregate import ceiling
from models.limits import Limits
from models.load import BUNDLED, Model, ScorerConfig, load_model
from models.pairs import Plan, Planner, Reading
from models.tokens import pack
from models.training.examples import Example, Share, Target, read_set, read_sets
from models.training.figures import Marked, balanced_point, mark
from models.training.learn import collate, read_tokenizer
from models.training.made import Maker
from models.training.rows import Row, read_rows
from models.training.trimmed import TrimmedBert

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
_NLI_SETS = ("mnli", "lingnli", "anli")
_SEED = 20261126
_MADE_SEED = 1009  # of examples that no stage has learned from
_RESAMPLES = 400
_WHOLE = 480  # tokens of a context that is read as one pair
_BESIDE = 8  # windows that are read beside a claim with the sentence before it
_EDGE = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One window's answer beside one claim."""

    entailment: float
    about: bool
    sentence: bool  # no run of several


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadClaim:
    """All answers for one claim."""

    windows: tuple[Read, ...]
    whole: float  # entailment by the whole context as one window, cut to what a pair can hold
    previous: float | None  # best entailment of the claim with the sentence before it; None for the first
    founded: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRow:
    """All answers for one row."""

    supported: bool
    claims: tuple[ReadClaim, ...]


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


def best(claim: ReadClaim, *, about: bool = True, numbers: bool = True, runs: bool = True) -> float:
    """The entailment that counts of a claim, each rule on or off."""
    return max(
        (
            min(read.entailment, ceiling(about=read.about or not about, founded=claim.founded or not numbers))
            for read in claim.windows
            if runs or read.sentence
        ),
        default=0.0,
    )


def against(entailment: float) -> float:
    """ln((1 - entailment) / entailment), bounded."""
    bounded = min(max(entailment, _EDGE), 1 - _EDGE)
    return math.log((1 - bounded) / bounded)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _noisy_or(values: Sequence[float]) -> float:
    """Ln of the odds that some claim is bad, were they bad independently of each other."""
    good = math.fsum(-math.log1p(math.exp(min(value, 30.0))) for value in values)
    return math.log(max(-math.expm1(good), _EDGE)) - good


VARIANTS = (
    Variant(name="as it is", claim=lambda claim: against(best(claim))),
    Variant(name="without the number rule", claim=lambda claim: against(best(claim, numbers=False))),
    Variant(name="without the rule on what a window is about", claim=lambda claim: against(best(claim, about=False))),
    Variant(name="windows of one sentence only", claim=lambda claim: against(best(claim, runs=False))),
    Variant(name="the whole context as one window", claim=lambda claim: against(claim.whole)),
    Variant(
        name="best window and whole context, mean of log odds",
        claim=lambda claim: (against(best(claim)) + against(claim.whole)) / 2,
    ),
    Variant(
        name="the sentence before beside the claim, the better counts",
        claim=lambda claim: against(max(best(claim), _before(claim))),
    ),
    Variant(
        name="the sentence before beside the claim, mean of log odds",
        claim=lambda claim: (against(best(claim)) + against(_before(claim) or best(claim))) / 2,
    ),
    Variant(name="claims by noisy-or", claim=lambda claim: against(best(claim)), response=_noisy_or),
    Variant(name="claims by their mean", claim=lambda claim: against(best(claim)), response=_mean),
)


def _before(claim: ReadClaim) -> float:
    """Entailment with the sentence before, under the number rule; 0 where there is none."""
    return min(claim.previous or 0.0, ceiling(about=True, founded=claim.founded))


def read_all(model: Model, rows: Sequence[Row]) -> list[ReadRow]:
    """Every pair of every row, read once; rows that are not applicable or unscored are left out."""
    planner = Planner(encoder=model.encoder, limits=Limits(), languages=frozenset(model.languages))
    asked: dict[tuple[bytes, bytes], int] = {}
    laid_out = []
    for row in rows:
        plan = planner.plan(row.item)
        if isinstance(plan, Plan):
            laid_out.append((row, list(_ask(model, row, plan, asked))))
    pairs = [model.encoder.join(window, claim) for window, claim in asked]
    entailed = [answer.entailment for answer in model.backend.predict(pairs, lambda: None)]
    return [
        ReadRow(
            supported=row.supported,
            claims=tuple(
                ReadClaim(
                    windows=tuple(
                        Read(entailment=entailed[at], about=reading.about, sentence=single)
                        for at, reading, single in windows
                    ),
                    whole=entailed[whole],
                    previous=max((entailed[at] for at in previous), default=None),
                    founded=founded,
                )
                for windows, whole, previous, founded in claims
            ),
        )
        for row, claims in laid_out
    ]


_Asked = tuple[list[tuple[int, Reading, bool]], int, list[int], bool]


def _ask(model: Model, row: Row, plan: Plan, asked: dict[tuple[bytes, bytes], int]) -> Iterator[_Asked]:
    text = row.item.contexts[0].text
    context = model.encoder.encode(text).ids
    before = ""
    for claim in plan.claims:
        if not claim.ids:
            before = ""
            continue
        starts = {reading.window.first for reading in claim.readings}
        windows = [
            (
                asked.setdefault((reading.ids, claim.ids), len(asked)),
                reading,
                not any(reading.window.first < start < reading.window.last for start in starts),
            )
            for reading in claim.readings
        ]
        room = _WHOLE - len(claim.ids) // 4  # ids are of four bytes
        whole = asked.setdefault((pack(context[:room]), claim.ids), len(asked))
        previous = []
        if before:
            both = pack(model.encoder.encode(f"{before} {claim.claim.text}").ids)
            previous = [asked.setdefault((reading.ids, both), len(asked)) for reading in claim.readings[:_BESIDE]]
        before = claim.claim.text
        yield windows, whole, previous, not claim.missing


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
        auc = _mean([each.auc() for each in marked])
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
    return _mean([each.balanced_accuracy(point) for each in marked])


def _auc(scores: Any, supported: Any) -> float:
    """ROC AUC; half for a draw of one label."""
    good, bad = np.sort(scores[supported]), scores[~supported]
    if not len(good) or not len(bad):
        return 0.5
    below = np.searchsorted(good, bad, "left") + np.searchsorted(good, bad, "right")
    return float(below.sum() / 2 / len(good) / len(bad))


def classes(checkpoint: Path, pairs: Sequence[tuple[str, str]]) -> Any:
    """Class probabilities of plain pairs by a float32 checkpoint, shape (pairs, 3)."""
    tokenizer = read_tokenizer(checkpoint, 320)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.float32).eval()
    trimmed = TrimmedBert(model)
    encodings = tokenizer.encode_batch(list(pairs))
    order = sorted(range(len(pairs)), key=lambda at: len(encodings[at].ids))
    found = np.zeros((len(pairs), 3))
    with torch.inference_mode():
        for first in range(0, len(order), 64):
            part = order[first : first + 64]
            ids, mask, types = collate([encodings[at] for at in part])
            found[part] = torch.softmax(trimmed(ids, mask, types), dim=-1).numpy()
    return found


def kinds(checkpoint: Path, examples: Sequence[Example]) -> dict[str, float]:
    """Of held-out examples of each kind, the share whose "entailed or not" the checkpoint tells at one half."""
    found = classes(checkpoint, [(example.premise, example.hypothesis) for example in examples])
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for example, chances in zip(examples, found, strict=True):
        right[example.source].append((chances[0] >= 0.5) == (example.target is Target.ENTAILED))  # noqa: PLR2004
    return {kind: _mean(values) for kind, values in sorted(right.items())}


def nli(checkpoint: Path, folder: Path, rows_each: int) -> dict[str, float]:
    """Three-class accuracy on the development parts of the NLI sets, each pair read as it is."""
    accuracy = {}
    for name in _NLI_SETS:
        examples = read_set(folder / f"{name}.jsonl.gz", Share(rows=rows_each), _SEED)
        found = classes(checkpoint, [(example.premise, example.hypothesis) for example in examples]).argmax(axis=1)
        accuracy[name] = _mean(
            [int(answer) == example.target.value for answer, example in zip(found, examples, strict=True)]
        )
    return accuracy


def held_out(data: Path, of_each: int) -> list[Example]:
    """Made examples of each kind that no stage has learned from: other draws, from the same documents."""
    by_kind: defaultdict[str, list[Example]] = defaultdict(list)
    for example in Maker(read_sets(data / "train", _SEED), _MADE_SEED).made():
        if len(by_kind[example.source]) < of_each:
            by_kind[example.source].append(example)
    return [example for kind in sorted(by_kind) for example in by_kind[kind]]


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
