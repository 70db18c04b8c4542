"""The recipe: everything from the public sets to the bundled model, in one command that goes on where it stopped.

    python -m models.training.recipe --data ../shared/data --start CHECKPOINT --work DIR \
        --out models/bundled

A GPU is used where there is one. Every draw has a fixed seed; floating point on another machine differs in its last
digits, so the weights do too.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from models.training.calibrate import ROWS_EACH, calibrate, choosing_paths
from models.training.examples import SETS
from models.training.learn import Schedule, learn
from models.training.passes import Mixture, Passes


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A way to train; `shipped` is the bundled model's."""

    schedule: Schedule
    mixture: Mixture = field(default_factory=Mixture)
    seed: int = 1


_SHIPPED = Variant(schedule=Schedule(peak=2e-4, passes=10, batch_tokens=8192, dropout=0.1, averaged=0.15))
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "shipped": _SHIPPED,
        "sets only": replace(_SHIPPED, mixture=Mixture(sets_only=10_000)),
    }
)


def train(data: Path, start: Path, work: Path, variant: Variant, say: Callable[[str], None]) -> Path:
    """Trains as the variant says; returns `work`, where the checkpoint then lies."""
    with Passes(data, start, variant.mixture, variant.schedule.passes) as passes:
        return learn(start, passes, variant.schedule, work, say, variant.seed)


def main() -> None:
    """Trains, exports and calibrates, and prints what each step comes to."""
    parser = argparse.ArgumentParser(description="Make the bundled model from the public sets.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with train/ and dev/")
    parser.add_argument("--start", type=Path, required=True, help="the checkpoint to start from")
    parser.add_argument("--work", type=Path, required=True, help="where the checkpoint lies, unfinished and finished")
    parser.add_argument("--out", type=Path, help="where the model is written; without it, it is only trained")
    parser.add_argument("--variant", choices=list(VARIANTS), default="shipped")
    parser.add_argument("--passes", type=int, help="other than the variant's; fewer take less time")
    arguments = parser.parse_args()
    variant = VARIANTS[arguments.variant]
    if arguments.passes:
        variant = replace(variant, schedule=replace(variant.schedule, passes=arguments.passes))
    checkpoint = train(
        arguments.data, arguments.start, arguments.work, variant, lambda line: print(line, flush=True)
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
