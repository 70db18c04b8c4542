"""One process that scores: how soon after its start, and in how much memory.

Run as `python -m workers.bench.scoring_process assay|reference CHECKPOINT`; prints a `ProcessFigures` as JSON.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from models.types import Item
from workers.bench.results import BenchError
from workers.bench.scoring_results import ProcessFigures

Engine = Literal["assay", "reference"]

STARTED_AT = "BENCH_STARTED_AT"
RESPONSES = 6  # of the mix, after the first score
SEED = 1
HIGH_WATER = "VmHWM:"  # of this program alone: what getrusage tells a child begins with its parent's


def measure_process(engine: Engine, checkpoint: Path) -> ProcessFigures:
    """Starts such a process and waits for it. Raises BenchError."""
    command = [sys.executable, "-m", "workers.bench.scoring_process", engine, str(checkpoint)]
    environment = {**os.environ, STARTED_AT: str(time.time()), "TOKENIZERS_PARALLELISM": "false"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if run.returncode:
        raise BenchError(f"The process of {engine} failed: {run.stderr.strip().splitlines()[-1:]}")
    return ProcessFigures.model_validate_json(run.stdout.splitlines()[-1])


def main() -> None:
    """Scores one response, then some of the mix."""
    engine, checkpoint = sys.argv[1], Path(sys.argv[2])
    from workers.bench.mix import make_mix  # noqa: PLC0415 - what is imported counts

    mix = make_mix(RESPONSES + 1, SEED)
    score = _assay(mix) if engine == "assay" else _reference(mix, checkpoint)
    score(0)
    first = time.time() - float(os.environ[STARTED_AT])
    for index in range(1, len(mix)):
        score(index)
    print(ProcessFigures(first_score_s=first, peak_mb=_peak_mb()).model_dump_json())  # noqa: T201 - the answer


def _peak_mb() -> float | None:
    """None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(HIGH_WATER)), None)


def _assay(mix: list[Item]) -> Callable[[int], object]:
    from models.load import load_scorer  # noqa: PLC0415

    scorer = load_scorer()
    return lambda index: scorer.score([mix[index]], lambda: None)


def _reference(mix: list[Item], checkpoint: Path) -> Callable[[int], object]:
    """Claims and windows as the engine cuts them: what a user of the library would write is not counted against it."""
    from models.backends.reference import Reference  # noqa: PLC0415
    from models.limits import Limits  # noqa: PLC0415
    from models.load import BUNDLED  # noqa: PLC0415
    from models.pairs import Plan, Planner  # noqa: PLC0415
    from models.tokens import WordPieceEncoder  # noqa: PLC0415
    from workers.bench.mix import texts_of  # noqa: PLC0415

    reference = Reference(checkpoint)
    encoder = WordPieceEncoder(BUNDLED / "tokenizer.json")

    def score(index: int) -> object:
        plan = Planner(encoder=encoder, limits=Limits()).plan(mix[index])
        if not isinstance(plan, Plan):
            raise BenchError(f"A response of the mix is not scored: {plan}.")
        return reference.predict(texts_of(mix[index], plan))

    return score


if __name__ == "__main__":
    main()
