"""The reference: sentence-transformers' CrossEncoder with its own defaults, which the benches compare with."""

from collections.abc import Sequence
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder

from models.labels import head_of, read_names
from models.types import Probability

BATCH = 32  # the library's default


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
