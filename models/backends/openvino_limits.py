"""The limits of the processor: what it can multiply in int8, what a pair asks for, and where a pair's time goes."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from models.backends.matrix import make_matrix
from models.types import EncodedPair

_WIDTH = 1024  # of the square matrices that are multiplied
_CHAIN = 8  # products one after the other, each rounded to int8 as in the model
_ROWS = 1024

# What a runtime's node does, by the name of its kind; what is not named is `other`.
_STAGES = {
    "FullyConnected": "matrix products",
    "FullyConnectedQuantizedLegacy": "matrix products",
    "MatMul": "matrix products",
    "Subgraph": "attention and rounding",
    "ScaledDotProductAttention": "attention and rounding",
    "Softmax": "attention and rounding",
    "FakeQuantize": "attention and rounding",
    "MVN": "normalisation and sums",
    "Add": "normalisation and sums",
    "Multiply": "normalisation and sums",
    "MulAdd": "normalisation and sums",
    "Transpose": "moving values",
    "Reshape": "moving values",
    "Reorder": "moving values",
    "Concat": "moving values",
    "Gather": "embeddings",
}


def int8_rate(threads: int, seconds: float) -> float:
    """Multiplications of int8 a second that the runtime reaches on this machine with large square matrices."""
    options = {"NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
    compiled = ov.Core().compile_model(_products(), "CPU", options)
    lanes = [compiled.create_infer_request() for _ in range(threads)]
    values = np.random.default_rng(0).normal(size=(_ROWS, _WIDTH)).astype(np.float32)
    for lane in lanes:
        lane.infer([values])
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for lane in lanes:
            lane.start_async([values])
        for lane in lanes:
            lane.wait()
        done += len(lanes)
    return done * _CHAIN * _ROWS * _WIDTH * _WIDTH / (time.perf_counter() - started)


def multiplications(folder: Path, length: int) -> float:
    """How many multiplications of matrix elements the model asks for one pair of `length` tokens."""
    model = ov.Core().read_model(folder / "model.xml")
    model.reshape({port: [1, length] for port in model.inputs})
    total = 0.0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "MatMul":
            inner = list(node.input_value(0).get_shape())[-2 if node.get_attributes()["transpose_a"] else -1]
            total += float(np.prod(list(node.output(0).get_shape()))) * inner
        elif node.get_type_name() == "ScaledDotProductAttention":
            queries, keys = (list(node.input_value(at).get_shape()) for at in (0, 1))
            total += 2.0 * float(np.prod(queries)) * keys[-2]
    return total


def stages(folder: Path, rows: int, length: int, rounds: int) -> Mapping[str, float]:
    """The share of each stage in the time of one batch on one thread, 0..1."""
    options = {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
        "PERF_COUNT": True,
    }
    compiled = ov.Core().compile_model(folder / "model.xml", "CPU", options)
    names = {name for port in compiled.inputs for name in port.get_names()}
    ids = np.random.default_rng(0).integers(1_000, 30_000, length, dtype=np.int32).tobytes()
    pair = EncodedPair(input_ids=ids, token_type_ids=bytes(length))
    arrays = {name: array for name, array in make_matrix([pair] * rows, length).named().items() if name in names}
    request = compiled.create_infer_request()
    request.infer(arrays)
    spent: Counter[str] = Counter()
    for _ in range(rounds):
        request.infer(arrays)
        for node in request.profiling_info:
            spent[_STAGES.get(node.node_type, "other")] += node.real_time.total_seconds()
    return {stage: seconds / spent.total() for stage, seconds in spent.most_common()}


def _products() -> ov.Model:
    """A chain of int8 matrix products; runtimes see by the rounding before each that they may compute in int8."""
    draw = np.random.default_rng(1)
    given = ops.parameter([_ROWS, _WIDTH], np.float32)
    value: Any = given
    for _ in range(_CHAIN):
        weights = draw.integers(-127, 128, (_WIDTH, _WIDTH), dtype=np.int8)
        scaled = ops.multiply(ops.convert(ops.constant(weights), np.float32), ops.constant(np.float32(0.001)))
        value = ops.matmul(_rounded(value), scaled, transpose_a=False, transpose_b=True)
    return ov.Model([_rounded(value)], [given], "products")


def _rounded(value: Any) -> Any:
    low, high = ops.constant(np.float32(-3.0)), ops.constant(np.float32(3.0))
    return ops.fake_quantize(value, low, high, low, high, levels=256)
