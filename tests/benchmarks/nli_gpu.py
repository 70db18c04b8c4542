"""How fast any NLI model reads pairs on a GPU: `python -m tests.benchmarks.nli_gpu CHECKPOINT FILE`, which writes JSON.

Hypothesis: the torch backend reads more pairs a second than `sentence_transformers.CrossEncoder.predict` on the same GPU in
the same type, even in batches as large, as it makes and copies one batch while the GPU reads another. It starts from token
ids, as a worker has them, who tokenises a context once for all of its windows and claims; the reference starts from texts,
as it takes nothing else. CHECKPOINT is a small BERT with its tokenizer; larger ones are made in the shapes of BERT base and
large, with random weights: only their speed means anything.
`--tiny` runs few pairs, also on a processor, to see that it works.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from sentence_transformers import CrossEncoder

from models.load import Model, ScorerConfig, load_model
from models.tokens import pack
from models.types import EncodedPair

LENGTHS = (32, 128)  # tokens of a pair
ROUNDS = 3
BATCHES = (32, 512)  # pairs, of the reference: its default, and a large one
PAIRS = 6_000  # in a round
SEED = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A model."""

    name: str
    layers: int = 0  # 0: the checkpoint itself
    width: int = 0


SHAPES = (
    Shape(name="checkpoint"),
    Shape(name="BERT base", layers=12, width=768),
    Shape(name="BERT large", layers=24, width=1_024),
)


def main() -> int:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("file", type=Path, help="where the figures go, again after each part")
    parser.add_argument("--tiny", action="store_true", help="few pairs, on the processor if there is no GPU")
    arguments = parser.parse_args()
    if not torch.cuda.is_available() and not arguments.tiny:
        sys.stderr.write("there is no GPU: give --tiny\n")
        return 1
    results: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "models": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        for shape in SHAPES[: 1 if arguments.tiny else None]:
            checkpoint = _made(shape, arguments.checkpoint, Path(folder) / shape.name)
            results["models"].append(_measured(shape, checkpoint, tiny=arguments.tiny))
            _write(results, arguments.file)
    return 0


def _write(results: dict[str, Any], file: Path) -> None:
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _made(shape: Shape, checkpoint: Path, folder: Path) -> Path:
    """The checkpoint itself, or a model of that shape with its tokenizer and labels."""
    if not shape.layers:
        return checkpoint
    config = transformers.AutoConfig.from_pretrained(checkpoint)
    config.update(
        {
            "num_hidden_layers": shape.layers,
            "hidden_size": shape.width,
            "intermediate_size": 4 * shape.width,
            "num_attention_heads": shape.width // 64,
        }
    )
    torch.manual_seed(SEED)
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((checkpoint / name).read_bytes())
    return folder


def _measured(shape: Shape, checkpoint: Path, *, tiny: bool) -> dict[str, Any]:
    model = load_model(ScorerConfig(model=str(checkpoint)))
    dtype = model.backend.attributes["dtype"]
    reference = _reference(checkpoint, dtype)
    rates = []
    for length in LENGTHS:
        pairs = _pairs(20 if tiny else PAIRS, length)
        joined = [_joined(model, *pair) for pair in pairs]
        ways: dict[str, Callable[[], object]] = {
            "assay_from_ids": partial(model.backend.predict, joined, lambda: None),
            **{
                f"cross_encoder_batches_of_{batch}": partial(
                    reference.predict, pairs, batch_size=batch, show_progress_bar=False
                )
                for batch in BATCHES
            },
        }
        rates.append({"tokens": length, "pairs": len(pairs), "pairs_per_s": _rates(ways, len(pairs))})
    parameters = sum(each.numel() for each in reference.model.parameters())
    return {"name": shape.name, "parameters": parameters, "dtype": dtype, "rates": rates}


def _rates(ways: dict[str, Callable[[], object]], things: int) -> dict[str, float]:
    """Things a second each way: medians of rounds, in each of which all are measured in turn."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if round_:  # the first one warms up
                took[name].append(time.perf_counter() - started)
    return {name: round(things / statistics.median(each), 1) for name, each in took.items()}


def _reference(checkpoint: Path, dtype: str) -> CrossEncoder:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return CrossEncoder(
        str(checkpoint), device=device, local_files_only=True, model_kwargs={"dtype": getattr(torch, dtype)}
    )


def _joined(model: Model, window: str, claim: str) -> EncodedPair:
    return model.encoder.join(pack(model.encoder.encode(window).ids), pack(model.encoder.encode(claim).ids))


def _pairs(count: int, length: int) -> list[tuple[str, str]]:
    """Texts of so many tokens together, their marks included; no two are the same."""
    claim = length // 5
    window = length - 3 - claim
    words = [str(number) for number in range(10, 100)]  # a token each
    return [
        (
            " ".join(words[(at + place * 7) % len(words)] for place in range(window)),
            " ".join(words[(at // len(words) + place * 11) % len(words)] for place in range(claim)),
        )
        for at in range(count)
    ]


if __name__ == "__main__":
    sys.exit(main())
