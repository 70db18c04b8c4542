"""The recipe: everything from the public sets to the bundled model, in one command that goes on where it stopped.

    python -m models.training.recipe --data ../shared/data --start CHECKPOINT --work DIR \
        --out models/bundled

Two processor cores take about two hours. Every draw has a fixed seed; floating point on another machine differs in its
last digits, so the weights do too.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.training.calibrate import ROWS_EACH, calibrate, choosing_paths
from models.training.examples import SETS, Example, read_sets
from models.training.learn import Schedule, learn
from models.training.made import Maker

_SEED = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One training run of the recipe."""

    name: str  # of its folder under the work folder
    made: bool  # whether made examples are learned beside those of the sets
    share: float = 1.0  # of its examples that are learned, drawn; the rest is what the time did not allow
    schedule: Schedule
    seed: int


STAGES = (
    Stage(name="sets", made=False, schedule=Schedule(peak=7e-5, end=6e-5), seed=1),
    Stage(name="mixed", made=True, share=0.7, schedule=Schedule(peak=7e-5, end=0.0, averaged=0.1), seed=2),
)


def train(data: Path, start: Path, work: Path, say: Callable[[str], None]) -> Path:
    """Runs the stages that are not done yet; returns the folder of the last one's checkpoint."""
    at = start
    for stage in STAGES:
        if (work / stage.name / "model.safetensors").exists():
            say(f"{stage.name}: done before")
        else:
            examples = _examples(data, stage)
            say(f"{stage.name}: {len(examples)} examples")
            learn(at, examples, stage.schedule, work / stage.name, say, stage.seed)
        at = work / stage.name
    return at


def _examples(data: Path, stage: Stage) -> Sequence[Example]:
    examples = read_sets(data / "train", _SEED)
    if stage.made:
        examples = Maker(examples, _SEED).mix()
    draw = random.Random(stage.seed)  # noqa: S311 (a draw, no secret)
    return examples if stage.share == 1 else draw.sample(examples, int(stage.share * len(examples)))


def main() -> None:
    """Trains, exports and calibrates, and prints what each step comes to."""
    parser = argparse.ArgumentParser(description="Make the bundled model from the public sets.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with train/ and dev/")
    parser.add_argument("--start", type=Path, required=True, help="the checkpoint to start from")
    parser.add_argument("--work", type=Path, required=True, help="where checkpoints of the stages lie")
    parser.add_argument("--out", type=Path, required=True, help="where the model is written")
    arguments = parser.parse_args()
    from models.training.export import Quantising, export  # noqa: PLC0415 - what it needs is of the extra `training`

    checkpoint = train(arguments.data, arguments.start, arguments.work, lambda line: print(line, flush=True))
    learned = [arguments.data / "train" / f"{name}.jsonl.gz" for name in SETS]
    development = sorted((arguments.data / "dev").glob("*.jsonl.gz"))
    print(export(checkpoint, learned, development, arguments.out, Quantising()), flush=True)
    print(calibrate(arguments.out, choosing_paths(arguments.data / "dev"), ROWS_EACH))


if __name__ == "__main__":
    main()
