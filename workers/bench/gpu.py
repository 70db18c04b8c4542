"""The GPU, where there is one: the same weights by the torch backend, pairs and whole responses a second."""

import time
from collections.abc import Sequence
from pathlib import Path

from models.calibrate import UNCALIBRATED
from models.load import ScorerConfig, load_model, make_nli
from models.tokens import pack
from models.types import Item
from workers.bench.results import Series
from workers.bench.scoring_results import GpuResult

ROUNDS = 5
TOKENS = 128
PAIRS = 100_000
COPIES = 20  # of the mix in one call, each with words of its own so that no pair is read twice


def measure_gpu(checkpoint: Path, mix: Sequence[Item]) -> GpuResult | None:
    """None where there is no GPU."""
    import torch  # noqa: PLC0415 - heavy

    if not torch.cuda.is_available():
        return None
    config = ScorerConfig(model=str(checkpoint), threshold="balanced")
    model = load_model(config)
    word = list(model.encoder.encode("kettle").ids)[:1]
    claim = TOKENS // 5
    window = TOKENS - model.encoder.join(b"", b"").length - claim
    pairs = [model.encoder.join(pack(word * window), pack(word * claim))] * PAIRS
    scorer = make_nli(config, model, UNCALIBRATED)
    copies = [
        Item(response=item.response.replace(".", f" {copy}."), contexts=item.contexts)
        for copy in range(COPIES)
        for item in mix
    ]
    rates: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        model.backend.predict(pairs, lambda: None)
        read = time.perf_counter()
        scorer.score(copies, lambda: None)
        rates.append((PAIRS / (read - started), len(copies) / (time.perf_counter() - read)))
    attributes = model.backend.attributes
    return GpuResult(
        device=attributes["device"],
        dtype=attributes["dtype"],
        tokens=TOKENS,
        pairs_per_s=Series.of(pairs for pairs, _ in rates),
        responses_per_s=Series.of(responses for _, responses in rates),
    )
