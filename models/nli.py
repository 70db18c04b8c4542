"""The NLI scorer: claims against windows, read by a natural language inference model."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from models.aggregate import AGGREGATION_VERSION, judge_claim, judge_response
from models.calibrate import Calibration, Threshold
from models.claims import claims_version
from models.limits import Limits
from models.pairs import Plan, PlannedClaim, Planner, Reading
from models.tokens import Encoder
from models.types import (
    ClaimResult,
    Evidence,
    Item,
    NliBackend,
    NotApplicable,
    NotFiniteError,
    Outcome,
    Probability,
    Unscored,
    UnscoredReason,
    Verdict,
)
from models.windows import WINDOWS_VERSION

_Key = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class NliParts:
    """What an NLI scorer is put together from."""

    backend: NliBackend
    encoder: Encoder
    calibration: Calibration
    weights_digest: str  # of the weights that `backend` runs
    limits: Limits = field(default_factory=Limits)
    threshold: Threshold = "strict"


class NliScorer:
    """Scores responses by whether some window of their contexts entails each claim.

    The window is the premise and the claim the hypothesis. The question is not read: it would help only where a claim
    is a bare fragment ("Paris"), and costs every other pair its length.
    """

    def __init__(self, parts: NliParts) -> None:
        """Raises ModelError for a threshold that is none."""
        self._parts = parts
        self._threshold = parts.calibration.threshold(parts.threshold)
        self._fingerprint = _fingerprint(parts, self._threshold)

    @property
    def name(self) -> str:
        """`nli`."""
        return "nli"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights, tokenizer, splitter, windows, aggregation, calibration and threshold."""
        return self._fingerprint

    @property
    def attributes(self) -> Mapping[str, str]:
        """The backend's."""
        return self._parts.backend.attributes

    def score(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Outcome]:
        """One outcome per item, in order; calls `progress` whenever a batch was done.

        Pairs that recur, within an item or between items, are read once. Items whose pairs the model answers with NaN
        or infinity are unscored; the others are not touched by it. Raises ModelError when the model cannot be run.
        """
        planner = Planner(encoder=self._parts.encoder, limits=self._parts.limits)
        plans = [planner.plan(item) for item in items]
        try:
            read = self._read([plan for plan in plans if isinstance(plan, Plan)], progress)
        except NotFiniteError:
            return [self._alone(item, plan, progress) for item, plan in zip(items, plans, strict=True)]
        return [
            self._outcome(item, plan, read) if isinstance(plan, Plan) else plan
            for item, plan in zip(items, plans, strict=True)
        ]

    def _alone(self, item: Item, plan: Plan | NotApplicable | Unscored, progress: Callable[[], None]) -> Outcome:
        """The outcome of one item whose call met a NaN, its own or a neighbour's."""
        if not isinstance(plan, Plan):
            return plan
        try:
            return self._outcome(item, plan, self._read([plan], progress))
        except NotFiniteError:
            return Unscored(reason=UnscoredReason.NOT_FINITE)

    def _read(self, plans: Sequence[Plan], progress: Callable[[], None]) -> dict[_Key, Probability]:
        """The probabilities of every distinct pair of the plans. Raises NotFiniteError."""
        keys = dict.fromkeys(
            (reading.ids, claim.ids) for plan in plans for claim in plan.claims for reading in claim.readings
        )
        encoded = [self._parts.encoder.join(window, claim) for window, claim in keys]
        if not encoded:
            return {}
        return dict(zip(keys, self._parts.backend.predict(encoded, progress), strict=True))

    def _outcome(self, item: Item, plan: Plan, read: Mapping[_Key, Probability]) -> Outcome:
        results = [self._claim(item, claim, read) for claim in plan.claims]
        pairs = sum(len(claim.readings) for claim in plan.claims)
        return judge_response(results, self._threshold, pairs)

    def _claim(self, item: Item, planned: PlannedClaim, read: Mapping[_Key, Probability]) -> ClaimResult:
        claim = planned.claim
        if not planned.readings:
            return ClaimResult(
                start=claim.start,
                end=claim.end,
                text=claim.text,
                verdict=Verdict.NOT_CHECKABLE,
                score=None,
                probability=None,
                evidence=None,
            )
        probabilities = [read[reading.ids, planned.ids] for reading in planned.readings]
        judgement = judge_claim(probabilities, self._parts.calibration)
        return ClaimResult(
            start=claim.start,
            end=claim.end,
            text=claim.text,
            verdict=judgement.verdict,
            score=judgement.score,
            probability=probabilities[judgement.deciding],
            evidence=_evidence(item, planned.readings[judgement.deciding]),
        )


def _evidence(item: Item, reading: Reading) -> Evidence:
    """The window as a span of its context, without the space around it."""
    context = item.contexts[reading.context_index]
    quoted = context.text[reading.window.start : reading.window.end]
    start = reading.window.start + len(quoted) - len(quoted.lstrip())
    text = quoted.strip()
    return Evidence(
        context_id=context.id, context_index=reading.context_index, start=start, end=start + len(text), text=text
    )


def _fingerprint(parts: NliParts, threshold: float) -> str:
    described = {
        "scorer": "nli",
        "weights": parts.weights_digest,
        "tokenizer": parts.encoder.digest,
        "claims": claims_version(),
        "windows": WINDOWS_VERSION,
        "limits": asdict(parts.limits),
        "aggregation": AGGREGATION_VERSION,
        "calibration": asdict(parts.calibration),
        "threshold": threshold,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
