"""`docs/accuracy.md`, written from the results that lie beside it: not one figure in it is typed by hand."""

from collections.abc import Callable
from pathlib import Path

from workers.bench.detection_report import detection_section
from workers.bench.detection_results import DetectionResult
from workers.bench.golden_report import golden_section
from workers.bench.golden_results import GoldenSetsResult
from workers.bench.results import BenchError, read_result
from workers.bench.robustness_report import robustness_section
from workers.bench.robustness_results import RobustnessResult

HEAD = """# Accuracy

Written by the benches from their JSON files in `docs/accuracy/`. Do not edit: run them again. DIR is a folder of
`*.jsonl.gz`, one for each set, with lines `{premise, hypothesis, label}`; no text of it is kept.

```
assay bench accuracy --data DIR --json docs/accuracy/accuracy.json --doc docs/accuracy.md
assay bench robustness --data DIR --json docs/accuracy/robustness.json --doc docs/accuracy.md
assay bench golden --json docs/accuracy/golden.json --doc docs/accuracy.md
```
"""

# By file, in the order of the document.
SECTIONS: dict[str, Callable[[Path], str]] = {
    "accuracy.json": lambda path: detection_section(read_result(DetectionResult, path)),
    "robustness.json": lambda path: robustness_section(read_result(RobustnessResult, path)),
    "golden.json": lambda path: golden_section(read_result(GoldenSetsResult, path)),
}


def document(folder: Path) -> str:
    """The whole document: a section for each result in the folder. Raises BenchError where there is none."""
    sections = [make(folder / name) for name, make in SECTIONS.items() if (folder / name).is_file()]
    if not sections:
        raise BenchError(f"{folder} has none of {', '.join(SECTIONS)}.")
    return "\n".join((HEAD, *sections))
