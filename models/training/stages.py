"""The stages of the training compared: what each checkpoint tells of plain pairs, in float32."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from models.training.encoded import Encoded, Loaded, encode, order, read_tokenizer
from models.training.examples import Example, Share, Target, read_set, read_sets
from models.training.made import Maker
from models.training.trimmed import TrimmedBert

_NLI_SETS = ("mnli", "lingnli", "anli")
_SEED = 7
_BATCH_TOKENS = 8192
_MADE_SEED = 1009  # of examples that no stage has learned from


def classes(checkpoint: Path, pairs: Sequence[tuple[str, str]]) -> Any:
    """Class probabilities of plain pairs by a float32 checkpoint, shape (pairs, 3)."""
    examples = [
        Example(premise=premise, hypothesis=hypothesis, target=Target.NEUTRAL, source="", group="")
        for premise, hypothesis in pairs
    ]
    return probabilities(checkpoint, encode(examples, read_tokenizer(checkpoint, 320)))


def probabilities(checkpoint: Path, encoded: Encoded) -> Any:
    """Class probabilities of encoded pairs by a float32 checkpoint, shape (pairs, 3)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.float32).eval().to(device)
    trimmed = TrimmedBert(model)
    loaded = Loaded(encoded, device)
    found = np.zeros((len(encoded.targets), 3))
    with torch.inference_mode():
        for positions in order(encoded.lengths, _BATCH_TOKENS, "0"):
            batch = loaded.batch(positions)
            found[positions] = torch.softmax(trimmed(batch.ids, batch.mask, batch.types), dim=-1).cpu().numpy()
    return found


def kinds(checkpoint: Path, examples: Sequence[Example]) -> dict[str, float]:
    """Of held-out examples of each kind, the share whose "entailed or not" the checkpoint tells at one half."""
    found = classes(checkpoint, [(example.premise, example.hypothesis) for example in examples])
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for example, chances in zip(examples, found, strict=True):
        right[example.source].append((chances[0] >= 0.5) == (example.target is Target.ENTAILED))  # noqa: PLR2004
    return {kind: mean(values) for kind, values in sorted(right.items())}


def nli(checkpoint: Path, folder: Path, rows_each: int) -> dict[str, float]:
    """Three-class accuracy on the development parts of the NLI sets, each pair read as it is."""
    accuracy = {}
    for name in _NLI_SETS:
        examples = read_set(folder / f"{name}.jsonl.gz", Share(rows=rows_each), _SEED)
        found = classes(checkpoint, [(example.premise, example.hypothesis) for example in examples]).argmax(axis=1)
        accuracy[name] = mean(
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


def mean(values: Sequence[float]) -> float:
    """The mean of at least one."""
    return sum(values) / len(values)
