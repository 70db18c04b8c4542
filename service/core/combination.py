"""The combination: one calibrated score of all scorers', by a fit to labels. Pure but for `load_combination`.

score = sigmoid(intercept + what each scorer adds). A scorer that speaks adds slope x value for each of its values, none of
which has a negative slope; one that is missing adds the one number that stands for its absence
(docs/decisions/0028). `assay calibrate` writes the file.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.core.errors import PolicyInvalidError

VERSION = 1
BALANCED = 0.5
EDGE = 0.001  # NLI scores nearer to 0 or 1 than this count as this far: logits of -6.9 to 6.9

Finite = Annotated[float, Field(allow_inf_nan=False)]
Slope = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Point = Annotated[float, Field(ge=0, le=1)]
ScorerName = Literal["nli", "judge", "consistency"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the scorers say of one response, each value 0..1 and 1 is bad; None where one says nothing."""

    nli: float | None = None  # the first score
    nli_fingerprint: str | None = None
    judge: float | None = None
    judge_fingerprint: str | None = None
    selfcheck: float | None = None  # mean contradiction with alternative responses
    entropy: float | None = None  # semantic entropy over its greatest value
    consistency_fingerprint: str | None = None  # of both of these, which count only together

    def values(self, scorer: ScorerName) -> dict[str, float] | None:
        """A scorer's values as the fit takes them; None where it says nothing."""
        match scorer:
            case "nli":
                return None if self.nli is None else {"nli": bounded_logit(self.nli)}
            case "judge":
                return None if self.judge is None else {"judge": self.judge}
            case "consistency":
                if self.selfcheck is None or self.entropy is None:
                    return None
                return {"selfcheck": self.selfcheck, "entropy": self.entropy}

    def fingerprint(self, scorer: ScorerName) -> str | None:
        """Whose values they are."""
        match scorer:
            case "nli":
                return self.nli_fingerprint
            case "judge":
                return self.judge_fingerprint
            case "consistency":
                return self.consistency_fingerprint


class Uncombined(StrEnum):
    """Why there is no combined score."""

    OTHER_SCORER = "other_scorer"  # the first score is of another scorer than the one that the fit was made for
    NO_SCORE = "no_score"  # no scorer of the fit says anything
    NEVER_MISSING = "never_missing"  # one is missing that was there for all labels: what its absence means is not known


@dataclass(frozen=True, kw_only=True, slots=True)
class Combined:
    """The combined score of one response."""

    score: float  # 0..1: the probability that people call the response hallucinated
    flagged: bool  # score >= threshold
    threshold: float
    used: tuple[str, ...]  # scorers that spoke
    fit: str  # digest of the fit


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FittedScorer(_Part):
    """What one scorer adds."""

    name: ScorerName
    fingerprint: str  # values of another one count as missing
    slopes: dict[str, Slope]
    absent: Finite | None  # added where it is missing; null: it never was, so that nobody knows


class Thresholds(_Part):
    """Scores from which on a response is flagged."""

    balanced: Point
    strict: Point  # of 95% specificity in cross-validation, at least `balanced`


class Combination(_Part):
    """A fit, as its file holds it."""

    version: Literal[1]
    digest: str
    made_at: datetime
    intercept: Finite
    scorers: Annotated[tuple[FittedScorer, ...], Field(min_length=1)]
    thresholds: Thresholds
    figures: dict[str, Any]  # what it was measured to do; nothing is computed from it

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wanted = {"nli": {"nli"}, "judge": {"judge"}, "consistency": {"selfcheck", "entropy"}}
        names = [scorer.name for scorer in self.scorers]
        if len(set(names)) < len(names) or "nli" not in names:
            raise ValueError("each scorer once, and `nli` among them")
        for scorer in self.scorers:
            if scorer.slopes.keys() != wanted[scorer.name]:
                raise ValueError(f"{scorer.name} needs slopes of {', '.join(sorted(wanted[scorer.name]))}")
        if self.digest != self.meaning:
            raise ValueError("its digest is not that of its numbers: it was changed by hand, or cut")
        return self

    @property
    def meaning(self) -> str:
        """Digest of all that changes a combined score."""
        said = self.model_dump(mode="json", include={"version", "intercept", "scorers", "thresholds"})
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]

    def threshold(self, chosen: Literal["strict", "balanced"] | float) -> float:
        """The score from which on a response is flagged; a number stands as it is."""
        if isinstance(chosen, str):
            return self.thresholds.strict if chosen == "strict" else self.thresholds.balanced
        return float(chosen)

    def combine(self, parts: Parts, chosen: Literal["strict", "balanced"] | float = "strict") -> Combined | Uncombined:
        """The combined score, or why there is none. A value of another fingerprint than the fit's counts as missing."""
        at, used = self.intercept, []
        for scorer in self.scorers:
            values = parts.values(scorer.name)
            if values is not None and parts.fingerprint(scorer.name) != scorer.fingerprint:
                if scorer.name == "nli":
                    return Uncombined.OTHER_SCORER
                values = None
            if values is not None:
                if any(scorer.slopes.values()):
                    used.append(scorer.name)
                at += sum(scorer.slopes[name] * value for name, value in values.items())
            elif scorer.absent is None:
                return Uncombined.NEVER_MISSING
            else:
                at += scorer.absent
        if not used:
            return Uncombined.NO_SCORE
        score, threshold = sigmoid(at), self.threshold(chosen)
        return Combined(score=score, flagged=score >= threshold, threshold=threshold, used=tuple(used), fit=self.digest)


def make_combination(
    *,
    intercept: float,
    scorers: tuple[FittedScorer, ...],
    thresholds: Thresholds,
    made_at: datetime,
    figures: Mapping[str, Any],
) -> Combination:
    """A combination with its digest. Raises ValueError for numbers that make none."""
    values: dict[str, Any] = {
        "version": VERSION,
        "digest": "",
        "made_at": made_at,
        "intercept": intercept,
        "scorers": scorers,
        "thresholds": thresholds,
        "figures": dict(figures),
    }
    return Combination.model_validate(values | {"digest": Combination.model_construct(**values).meaning})


def bounded_logit(score: float) -> float:
    """ln(score / (1 - score)) of a score in 0..1, within 6.9 of 0."""
    bounded = min(max(score, EDGE), 1 - EDGE)
    return math.log(bounded / (1 - bounded))


def sigmoid(at: float) -> float:
    """1 / (1 + e^-at) without overflow."""
    if at >= 0:
        return 1 / (1 + math.exp(-at))
    raised = math.exp(at)
    return raised / (1 + raised)


def load_combination(path: Path) -> Combination:
    """The combination of a file. Raises PolicyInvalidError, which names the file and what is wrong with it."""
    again = f"Fit it again with `assay calibrate --combined` or `--labels`, -o {path}; or remove `combination`."
    try:
        return Combination.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PolicyInvalidError(
            f"`combination`: cannot read {path}: {error.strerror}.", field="combination", next_step=again
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        said = f"{place}: {first['msg']}".removeprefix(": ").replace("Value error, ", "").removesuffix(".")
        raise PolicyInvalidError(
            f"`combination`: {path} is no combination: {said}.", field="combination", next_step=again
        ) from None


def save_combination(combination: Combination, path: Path) -> None:
    """Writes what `load_combination` reads."""
    path.write_text(combination.model_dump_json(indent=2) + "\n", encoding="utf-8")
