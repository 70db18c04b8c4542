"""The calibration: what turns a model's entailment into a score of which 0.5 is the balanced operating point."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from models.types import ModelError

BALANCED = 0.5

Threshold = Literal["strict", "balanced"] | float

# Entailments nearer to 0 or 1 than this are scored alike; float32 says no more.
_EDGE = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """score = sigmoid(slope * logit(1 - entailment) + intercept).

    Law: the score falls, never rises, as entailment rises. Raises ModelError for values with which it would not.
    """

    slope: float  # positive: how sharply the score turns at the balanced point
    intercept: float  # puts the balanced point at 0.5
    strict: float  # the score at 95% specificity per response on development data; 0.5..1

    def __post_init__(self) -> None:
        if not (self.slope > 0 and math.isfinite(self.slope) and math.isfinite(self.intercept)):
            raise ModelError("the calibration's slope must be positive and its intercept finite: calibrate again")
        if not BALANCED <= self.strict <= 1:
            raise ModelError("the calibration's strict threshold must be within 0.5..1: calibrate again")

    def score(self, entailment: float) -> float:
        """The score, 0..1 and 1 is bad, of a claim whose best window entails it with probability `entailment`."""
        bounded = min(max(entailment, _EDGE), 1 - _EDGE)
        return 1 / (1 + math.exp(-self.slope * math.log((1 - bounded) / bounded) - self.intercept))

    def threshold(self, chosen: Threshold) -> float:
        """The score from which a response is flagged. Raises ModelError for a number outside 0..1 or another word.

        Below 0.5 claims are flagged whose verdict is `supported`.
        """
        if chosen == "strict":
            return self.strict
        if chosen == "balanced":
            return BALANCED
        if isinstance(chosen, str) or not 0 < chosen <= 1:
            raise ModelError(f"threshold {chosen!r}: give 'strict', 'balanced' or a number above 0 and at most 1")
        return float(chosen)


def load_calibration(path: Path) -> Calibration:
    """The calibration written at `path`. Raises ModelError when it is missing or malformed."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Calibration(
            slope=float(values["slope"]), intercept=float(values["intercept"]), strict=float(values["strict"])
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"no calibration at {path} ({error}): run python -m models.training.calibrate") from error


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Writes what `load_calibration` reads."""
    path.write_text(json.dumps(asdict(calibration), indent=2) + "\n", encoding="utf-8")
