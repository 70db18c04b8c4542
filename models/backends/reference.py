"""The reference: sentence-transformers' CrossEncoder with its own defaults, which the benches compare with."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder

from models.labels import head_of, read_names
from models.types import Probability

BATCH = 32  # the library's default
_WIDTH = 1024  # of the square matrices that are multiplied


class Reference:
    """A checkpoint in float32 on the processor, read as the library reads it."""

    def __init__(self, checkpoint: Path) -> None:
        """Loads the checkpoint."""
        # Half-precision weights would be run in half precision, many times slower on most processors.
        self._model = CrossEncoder(
            str(checkpoint), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
        )
        self._head = head_of(read_names(checkpoint / "config.json"))

    def use_threads(self, threads: int) -> None:
        """How many threads the runtime uses from now on."""
        torch.set_num_threads(threads)

    def predict(self, pairs: Sequence[tuple[str, str]]) -> list[Probability]:
        """One probability per (window, claim), in one call."""
        logits = self._model.predict(list(pairs), batch_size=BATCH, activation_fn=torch.nn.Identity())
        return [self._head.probability(row) for row in logits.reshape(len(pairs), -1).tolist()]


def float32_rate(threads: int, seconds: float) -> float:
    """Multiplications of float32 a second that torch reaches on this machine with large square matrices."""
    torch.set_num_threads(threads)
    one, other = torch.rand(_WIDTH, _WIDTH), torch.rand(_WIDTH, _WIDTH)
    torch.mm(one, other)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        torch.mm(one, other)
        done += 1
    return float(done * _WIDTH**3 / (time.perf_counter() - started))
