"""The export: a Hugging Face checkpoint made into the bundled int8 model.

    python -m models.training.export --checkpoint DIR --calibration-data F.jsonl.gz ... --out models/bundled

Run models.training.calibrate afterwards: thresholds belong to the weights they were chosen with.
"""

import argparse
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino as ov
import torch
from transformers import AutoModelForSequenceClassification

from models.backends.matrix import make_matrix
from models.backends.openvino import OpenvinoBackend
from models.batching import padded_length
from models.labels import head_of, read_names
from models.limits import Limits
from models.pairs import Plan, Planner
from models.tokens import WordPieceEncoder
from models.training.rows import read_rows
from models.training.trimmed import TrimmedBert
from models.types import EncodedPair

_NAMES = ("input_ids", "attention_mask", "token_type_ids")
_SEED = 7


@dataclass(frozen=True, kw_only=True)
class Quantising:
    """How activations are quantised."""

    rows_each: int = 40  # rows of each set whose pairs they are calibrated on
    pairs: int = 300  # of those, at most
    alpha: float = 0.95  # strength of smooth quantisation (Xiao et al. 2023), chosen by the agreement


def arrays(pair: EncodedPair) -> dict[str, Any]:
    """The pair as the model's inputs, shape (1, padded length), int64."""
    return make_matrix([pair], padded_length(pair.length)).named()


def real_pairs(encoder: WordPieceEncoder, paths: Sequence[Path], rows_each: int) -> list[EncodedPair]:
    """Pairs as a worker makes them, one claim of each row beside each of its windows, shuffled."""
    planner = Planner(encoder=encoder, limits=Limits())
    pairs = [
        encoder.join(reading.ids, claim.ids)
        for path in paths
        for plan in (planner.plan(row.item) for row in read_rows(path, rows_each, _SEED))
        if isinstance(plan, Plan)
        for claim in plan.claims
        for reading in claim.readings
    ]
    random.Random(_SEED).shuffle(pairs)  # noqa: S311 (a draw, no secret)
    return pairs


def quantise(model: Any, pairs: Sequence[EncodedPair], alpha: float) -> ov.Model:
    """The checkpoint as an int8 OpenVINO model, activations calibrated on `pairs`. Raises ModelError."""
    converted = ov.convert_model(TrimmedBert(model), example_input=arrays(pairs[0]))
    for port in converted.inputs:  # the converter gives some of them a number too
        port.get_tensor().set_names(port.get_names() & set(_NAMES))
    quantised: ov.Model = nncf.quantize(
        converted,
        nncf.Dataset(pairs, arrays),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pairs),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=alpha)
        ),
    )
    return quantised


def agreement(model: Any, folder: Path, pairs: Sequence[EncodedPair]) -> str:
    """How nearly the int8 model in `folder` answers as the float32 checkpoint does, as one line."""
    head = head_of(read_names(folder / "config.json"))
    quantised = OpenvinoBackend(folder, threads=0).predict(pairs, lambda: None)
    same, gaps = 0, []
    with torch.inference_mode():
        for pair, answer in zip(pairs, quantised, strict=True):
            inputs = {name: torch.from_numpy(array) for name, array in arrays(pair).items()}
            full = astuple(head.probability(model(**inputs).logits[0].tolist()))
            mine = astuple(answer)
            same += int(np.argmax(full)) == int(np.argmax(mine))
            gaps.append(abs(full[0] - mine[0]))
    return (
        f"{len(pairs)} held-out pairs: same class {same / len(pairs):.1%}; "
        f"entailment differs by {np.mean(gaps):.3f} on average, {np.quantile(gaps, 0.95):.3f} at the 95th percentile"
    )


def export(checkpoint: Path, learned: Sequence[Path], held_out: Sequence[Path], out: Path, settings: Quantising) -> str:
    """Writes the checkpoint as an int8 model into `out`; returns its agreement with float32, as one line.

    Activations are calibrated on pairs of the sets in `learned`; the two are compared on those of `held_out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    encoder = WordPieceEncoder(checkpoint / "tokenizer.json")
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.float32)
    model.eval()
    pairs = real_pairs(encoder, learned, settings.rows_each)[: settings.pairs]
    ov.save_model(quantise(model, pairs, settings.alpha), out / "model.xml")
    shutil.copyfile(checkpoint / "tokenizer.json", out / "tokenizer.json")
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (out / "config.json").write_text(json.dumps({"id2label": config["id2label"]}, indent=2) + "\n")
    return agreement(model, out, real_pairs(encoder, held_out, 60)[:400])


def main() -> None:
    """Exports, then prints the agreement with float32."""
    parser = argparse.ArgumentParser(description="Make the bundled int8 model from a checkpoint.")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--calibration-data", type=Path, nargs="+", required=True, help="gzipped JSON lines")
    parser.add_argument("--held-out", type=Path, nargs="+", required=True, help="rows to compare int8 with float32 on")
    parser.add_argument("--rows-each", type=int, default=Quantising.rows_each)
    parser.add_argument("--smooth-quant-alpha", type=float, default=Quantising.alpha)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    settings = Quantising(rows_each=arguments.rows_each, alpha=arguments.smooth_quant_alpha)
    print(export(arguments.checkpoint, arguments.calibration_data, arguments.held_out, arguments.out, settings))


if __name__ == "__main__":
    main()
