"""The calibration: what turns a model's answers into a score of which 0.5 is the balanced operating point."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from models.types import ModelError, Probability

BALANCED = 0.5

Threshold = Literal["strict", "balanced"] | float

# Support nearer to 0 or 1 than this is scored alike; float32 says no more.
_EDGE = 1e-6

# Share of the odds of a window's support that asks whether the model entails the claim or contradicts it, and not whether
# it entails it or anything else: small models call much neutral that is entailed in other words.
AGAINST = 0.3

# Claims from which on thresholds rise no further: labelled responses of more are too few to say how they should.
_MOST_CLAIMS = 8

# Of what is not entailment, the share that contradiction counts for at least: below it models are sure of nothing.
_LEAST_AGAINST = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """score = sigmoid(slope * logit(1 - min(support, accepted)) + intercept).

    Law: the score falls, never rises, as support rises. Raises ModelError for values with which it would not.
    """

    slope: float  # positive: how sharply the score turns at the balanced point
    intercept: float  # puts the balanced point at 0.5
    strict: float | None  # the score at 95% specificity per response on development data; 0.5..1, None: not known
    rise: float = 0.0  # by which the logit of `strict` and `balanced` rises with ln of the claims of a response
    accepted: float = 1.0  # support from which a window settles a claim and no other need be read; more is not better
    against: float = 0.0  # 0..1: how much of support is entailment against contradiction alone; 0: it is entailment

    def __post_init__(self) -> None:
        if not (self.slope > 0 and math.isfinite(self.slope) and math.isfinite(self.intercept)):
            raise ModelError("the calibration's slope must be positive and its intercept finite: calibrate again")
        if not 0 <= self.rise < math.inf:
            raise ModelError("the calibration's rise must be a finite number from 0 on: calibrate again")
        if self.strict is not None and not BALANCED <= self.strict <= 1:
            raise ModelError("the calibration's strict threshold must be within 0.5..1: calibrate again")
        if not 0 < self.accepted <= 1 or (self.accepted < 1 and self.least >= BALANCED):
            raise ModelError("what the calibration accepts must be support of a score below 0.5: calibrate again")
        if not 0 <= self.against <= 1:
            raise ModelError("the calibration's share of contradiction must be within 0..1: calibrate again")

    @property
    def least(self) -> float:
        """The score of a claim that is accepted: no score is lower."""
        return self.score(self.accepted)

    def support(self, answer: Probability) -> float:
        """How much a window supports the claim, 0..1: entailment, raised where what speaks against it is not contradiction.

        (1 - against) * logit(entailment) + against * ln(entailment / contradiction) as a probability: it rises with
        entailment, falls with contradiction, and is never below entailment. Entailment itself where the model cannot tell
        contradiction from neutral.
        """
        if not self.against or answer.contradiction is None:
            return answer.entailment
        entailed = min(max(answer.entailment, _EDGE), 1 - _EDGE)
        contradicted = max(answer.contradiction, _LEAST_AGAINST * (1 - entailed))
        odds: float = entailed / (1 - entailed) * ((1 - entailed) / contradicted) ** self.against
        return max(odds / (1 + odds), answer.entailment)

    def score(self, support: float) -> float:
        """The score, 0..1 and 1 is bad, of a claim that its best window supports by so much."""
        bounded = min(max(support, _EDGE), self.accepted, 1 - _EDGE)
        return 1 / (1 + math.exp(-self.slope * math.log((1 - bounded) / bounded) - self.intercept))

    def raised(self, chosen: Threshold, claims: int) -> float:
        """The score from which a response of so many checked claims is flagged; below 1.

        Of many good claims the worst looks worse by chance alone. `strict` and `balanced` rise with their number, so that
        a long response is not flagged many times as often for nothing; a number stands as it is.
        """
        threshold = self.threshold(chosen)
        if not isinstance(chosen, str) or not self.rise or claims <= 1 or threshold >= 1:
            return threshold
        return 1 / (1 + (1 - threshold) / threshold * math.exp(-self.rise * e_folds(claims)))

    def threshold(self, chosen: Threshold) -> float:
        """The score from which a response of one claim is flagged. Raises ModelError for a number out of range or another word.

        Below 0.5 claims are flagged whose verdict is `supported`; at the least score everything would be.
        """
        if chosen == "strict":
            if self.strict is None:
                raise ModelError(
                    "this model has no calibration, so where its threshold `strict` lies is not known: set "
                    "ASSAY_THRESHOLD to balanced or a number, or make one from labelled rows with "
                    "`assay calibrate ROWS.jsonl -o calibration.json` and set ASSAY_NLI_CALIBRATION to it"
                )
            return self.strict
        if chosen == "balanced":
            return BALANCED
        if isinstance(chosen, str) or not self.least < chosen <= 1:
            raise ModelError(
                f"threshold {chosen!r}: give 'strict', 'balanced' or a number above {self.least:.3f}, this model's least "
                "score, and at most 1"
            )
        return float(chosen)


def e_folds(claims: int) -> float:
    """By how many factors of e a response has more claims than one, as far as thresholds rise with them."""
    return math.log(min(claims, _MOST_CLAIMS))


# What a model without a calibration has: its plain 1 - entailment, and no strict point.
UNCALIBRATED = Calibration(slope=1.0, intercept=0.0, strict=None)

# What a calibration is chosen on: 1 - support.
PLAIN = Calibration(slope=1.0, intercept=0.0, strict=None, against=AGAINST)


def load_calibration(path: Path, model: str) -> Calibration:
    """The calibration written at `path` for the model of digest `model`.

    Raises ModelError when it is missing, malformed or made for another model. A file that names no model fits any.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        made_for = values.get("model", model)
        calibration = Calibration(
            slope=float(values["slope"]),
            intercept=float(values["intercept"]),
            strict=float(values["strict"]),
            accepted=float(values.get("accepted", 1.0)),
            rise=float(values.get("rise", 0.0)),
            against=float(values.get("against", 0.0)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"no calibration at {path} ({error!r}): `assay calibrate` writes one") from error
    if made_for != model:
        raise ModelError(
            f"the calibration at {path} was made for another model, tokenizer or order of labels, or by another version "
            "of Assay: make one for this model with `assay calibrate`, or unset ASSAY_NLI_CALIBRATION"
        )
    return calibration


def save_calibration(calibration: Calibration, path: Path, model: str) -> None:
    """Writes what `load_calibration` reads; `model` is the digest of the model it was made for."""
    path.write_text(json.dumps({"model": model, **asdict(calibration)}, indent=2) + "\n", encoding="utf-8")
