"""The OpenVINO backend: an int8 cross-encoder on the processor."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from models.batching import make_batches
from models.labels import head_of, read_names
from models.types import EncodedPair, ModelError, Probability

# Padded tokens that one inference holds: enough to keep the processor busy, little enough to report progress often.
_BATCH_TOKENS = 1024
# Shapes that the runtime keeps prepared; its own default of 5,000 took 90 MB more and was no faster.
_PREPARED_SHAPES = 200


class OpenvinoBackend:
    """Reads pairs with the model in one folder: `model.xml`, `model.bin`, `config.json`.

    The same pair gets the same answer on the same processor in whatever company it is read: its padded length follows
    from the pair alone, quantisation is static, and the precision is fixed rather than left to the processor.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        """Compiles the model and reads one pair. `threads` 0 means all cores. Raises ModelError."""
        self._head = head_of(read_names(folder / "config.json"))
        core = ov.Core()
        options: dict[str, Any] = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": _PREPARED_SHAPES,
        }
        try:
            self._compiled = core.compile_model(folder / "model.xml", "CPU", options)
        except RuntimeError as error:
            raise ModelError(f"the model in {folder} could not be loaded: {error}") from error
        self._request = self._compiled.create_infer_request()
        self._inputs = {name for port in self._compiled.inputs for name in port.get_names()}
        self._attributes = {
            "backend": "openvino",
            "openvino": ov.__version__,
            "device": str(core.get_property("CPU", "FULL_DEVICE_NAME")),
            "capabilities": " ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
        }
        self.predict([EncodedPair(input_ids=(0, 0), token_type_ids=(0, 0))], lambda: None)

    @property
    def attributes(self) -> Mapping[str, str]:
        """Runtime, its version, the processor and what the runtime can use of it."""
        return self._attributes

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        """One probability per pair, in order; calls `progress` after each batch.

        Raises NotFiniteError for NaN or infinity, ModelError for any other failure of the runtime.
        """
        found: dict[int, Probability] = {}
        for batch in make_batches([len(pair.input_ids) for pair in pairs], _BATCH_TOKENS):
            for index, logits in zip(
                batch.indices, self._infer([pairs[index] for index in batch.indices], batch.padded_length), strict=True
            ):
                found[index] = self._head.probability(logits)
            progress()
        return [found[index] for index in range(len(pairs))]

    def _infer(self, pairs: Sequence[EncodedPair], length: int) -> list[list[float]]:
        """Logits, one row per pair."""
        shape = (len(pairs), length)
        arrays = {
            "input_ids": np.zeros(shape, dtype=np.int64),
            "attention_mask": np.zeros(shape, dtype=np.int64),
            "token_type_ids": np.zeros(shape, dtype=np.int64),
        }
        for row, pair in enumerate(pairs):
            size = len(pair.input_ids)
            arrays["input_ids"][row, :size] = pair.input_ids
            arrays["attention_mask"][row, :size] = 1
            arrays["token_type_ids"][row, :size] = pair.token_type_ids
        try:
            answer = self._request.infer({name: array for name, array in arrays.items() if name in self._inputs})
        except RuntimeError as error:
            raise ModelError(f"the model could not be run: {error}") from error
        rows: list[list[float]] = answer[0].tolist()
        return rows
