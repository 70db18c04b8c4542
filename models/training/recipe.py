"""The recipe: everything from the public sets to the bundled model, in one command that goes on where it stopped.

    python -m models.training.recipe --data ../shared/data --start CHECKPOINT --work DIR \
        --out models/bundled

A GPU is used where there is one. Every draw has a fixed seed; floating point on another machine differs in its last
digits, so the weights do too.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from models.training.average import average
from models.training.calibrate import ROWS_EACH, calibrate, choosing_paths
from models.training.examples import SETS
from models.training.learn import Schedule, learn
from models.training.passes import Mixture, Passes


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training run from the start."""

    schedule: Schedule
    mixture: Mixture
    share: float  # in the average; 0: for comparison only
    seed: int


_PLAIN = Schedule(peak=2e-4, passes=5, batch_tokens=8192, averaged=0.15)

RUNS: Mapping[str, Run] = MappingProxyType(
    {
        "dropout": Run(schedule=replace(_PLAIN, dropout=0.1), mixture=Mixture(), share=1.0, seed=1),
        "more-made": Run(schedule=replace(_PLAIN, passes=4), mixture=Mixture(made=1.5), share=1.0, seed=3),
        "small-steps": Run(
            schedule=Schedule(peak=7e-5, passes=2, batch_tokens=2048, averaged=0.1),
            mixture=Mixture(),
            share=2.0,
            seed=2,
        ),
        "faster": Run(schedule=replace(_PLAIN, peak=4e-4, dropout=0.1), mixture=Mixture(), share=0.0, seed=2),
        "sets-only": Run(schedule=replace(_PLAIN, passes=13), mixture=Mixture(sets_only=13), share=0.0, seed=1),
    }
)
SHIPPED = tuple(name for name, run in RUNS.items() if run.share)


def train(
    data: Path, start: Path, work: Path, runs: Mapping[str, Run], say: Callable[[str], None], ahead: int = 1
) -> Path:
    """Trains those of the runs that are not done yet; returns the folder of their average.

    So many passes are made ahead, each by a process of its own.
    """
    done = []
    for name, run in runs.items():
        say(f"{name}: {run.schedule.passes} passes")
        with Passes(data, start, run.mixture, run.schedule.passes, ahead) as passes:
            done.append((learn(start, passes, run.schedule, work / name, say, run.seed), run.share or 1.0))
    return average(done, work / "average")


def main() -> None:
    """Trains, exports and calibrates, and prints what each step comes to."""
    parser = argparse.ArgumentParser(description="Make the bundled model from the public sets.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with train/ and dev/")
    parser.add_argument("--start", type=Path, required=True, help="the checkpoint to start from")
    parser.add_argument("--work", type=Path, required=True, help="where the checkpoints lie, unfinished and finished")
    parser.add_argument("--out", type=Path, help="where the model is written; without it, it is only trained")
    parser.add_argument("--run", action="append", choices=list(RUNS), help="not the bundled model's runs but this one")
    parser.add_argument("--seconds", type=float, help="end each run by then, its rate falling as fast")
    parser.add_argument("--ahead", type=int, default=1, help="passes that are made ahead; a GPU needs about 3")
    arguments = parser.parse_args()
    runs = {
        name: replace(RUNS[name], schedule=replace(RUNS[name].schedule, seconds=arguments.seconds))
        for name in arguments.run or SHIPPED
    }
    checkpoint = train(
        arguments.data,
        arguments.start,
        arguments.work,
        runs,
        lambda line: print(line, flush=True),
        arguments.ahead,
    )
    if not arguments.out:
        return
    from models.training.export import Quantising, export  # noqa: PLC0415 - what it needs is of the extra `training`

    learned = [arguments.data / "train" / f"{name}.jsonl.gz" for name in SETS]
    development = sorted((arguments.data / "dev").glob("*.jsonl.gz"))
    print(export(checkpoint, learned, development, arguments.out, Quantising()), flush=True)
    print(calibrate(arguments.out, choosing_paths(arguments.data / "dev"), ROWS_EACH))


if __name__ == "__main__":
    main()
