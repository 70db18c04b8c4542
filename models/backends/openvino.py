"""The OpenVINO backend: an int8 cross-encoder on the processor."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from models.backends.cores import physical_cores
from models.backends.matrix import make_matrix
from models.batching import PADDED_LENGTHS, Batch, make_batches, row_counts
from models.labels import head_of, read_names
from models.types import EncodedPair, ModelError, Probability

# Padded tokens that one inference holds: enough to keep a core busy, little enough to report progress often.
BATCH_TOKENS = 512
# Kernels that the runtime keeps prepared in each lane, enough for every shape; with 200 some were made again and again.
PREPARED_SHAPES = 1_000


class OpenvinoBackend:
    """Reads pairs with the model in one folder: `model.xml`, `model.bin`, `config.json`.

    The same pair gets the same answer on the same processor in whatever company it is read and by however many
    threads: its padded length follows from the pair alone, quantisation is static, and the precision is fixed rather
    than left to the processor. Each thread reads a batch of its own, so that none waits for another.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        """Compiles the model and reads every shape of batch once. `threads` 0: all physical cores. Raises ModelError."""
        self._head = head_of(read_names(folder / "config.json"))
        lanes = threads or len(physical_cores())
        core = ov.Core()
        options: dict[str, Any] = {
            "NUM_STREAMS": lanes,
            "INFERENCE_NUM_THREADS": lanes,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": PREPARED_SHAPES,
        }
        try:
            self._compiled = core.compile_model(folder / "model.xml", "CPU", options)
        except RuntimeError as error:
            raise ModelError(f"the model in {folder} could not be loaded: {error}") from error
        self._lanes = [self._compiled.create_infer_request() for _ in range(lanes)]
        self._inputs = {name for port in self._compiled.inputs for name in port.get_names()}
        self._attributes = {
            "backend": "openvino",
            "openvino": ov.__version__,
            "device": str(core.get_property("CPU", "FULL_DEVICE_NAME")),
            "capabilities": " ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))),
        }
        self._warm()

    @property
    def attributes(self) -> Mapping[str, str]:
        """Runtime, its version, the processor and what the runtime can use of it."""
        return self._attributes

    @property
    def group(self) -> int:
        """All: who prepares shares the cores with the model."""
        return 0

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        """One probability per pair, in order; calls `progress` after each batch.

        Raises NotFiniteError for NaN or infinity, ModelError for any other failure of the runtime.
        """
        found: dict[int, Probability] = {}
        waiting: list[Batch | None] = [None] * len(self._lanes)
        batches = make_batches([pair.length for pair in pairs], BATCH_TOKENS, len(self._lanes))
        try:
            for turn, batch in enumerate([*batches, *waiting]):
                lane = turn % len(self._lanes)
                read = waiting[lane]
                if read is not None:
                    for index, logits in zip(read.indices, self._finish(lane), strict=True):
                        found[index] = self._head.probability(logits)
                    progress()
                if batch is not None:
                    self._start(lane, [pairs[index] for index in batch.indices], batch.padded_length)
                waiting[lane] = batch
        finally:
            for request, left in zip(self._lanes, waiting, strict=True):
                if left is not None:
                    with suppress(RuntimeError):  # a failed one raises at every wait, and the others must be waited for
                        request.wait()
        return [found[index] for index in range(len(pairs))]

    def _warm(self) -> None:
        """Reads every shape once in every lane: the first time, the runtime prepares itself for it."""
        for length in PADDED_LENGTHS:
            pair = EncodedPair(input_ids=bytes(4 * length), token_type_ids=bytes(length))
            for rows in row_counts(length, BATCH_TOKENS):
                for lane in range(len(self._lanes)):
                    self._start(lane, [pair] * rows, length)
                for lane in range(len(self._lanes)):
                    self._finish(lane)

    def _start(self, lane: int, pairs: Sequence[EncodedPair], length: int) -> None:
        arrays = make_matrix(pairs, length).named()
        try:
            self._lanes[lane].start_async({name: array for name, array in arrays.items() if name in self._inputs})
        except RuntimeError as error:
            raise ModelError(f"the model could not be run: {error}") from error

    def _finish(self, lane: int) -> list[list[float]]:
        """Logits of what was started there, one row per pair."""
        try:
            self._lanes[lane].wait()
        except RuntimeError as error:
            raise ModelError(f"the model could not be run: {error}") from error
        rows: list[list[float]] = np.asarray(self._lanes[lane].get_output_tensor(0).data).tolist()
        return rows
