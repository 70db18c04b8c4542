"""The NLI scorer: claims against windows, read by a natural language inference model."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

from models.aggregate import AGGREGATION_VERSION, judge_claim, judge_response
from models.calibrate import Calibration, Threshold
from models.claims import claims_version
from models.comparison import WINDOWS, Comparison, plan_comparison
from models.consistency import CONSISTENCY_VERSION
from models.language import check_languages, language_version
from models.limits import Limits
from models.numbers import NUMBERS_VERSION
from models.pair_cache import PairCache
from models.pairs import READING_VERSION, Plan, PlannedClaim, Planner, Reading
from models.phrases import FUNCTION_WORDS
from models.scan import ClaimScan, ItemScan, Reader
from models.tokens import Encoder
from models.types import (
    Assessed,
    ClaimResult,
    Consistent,
    Evidence,
    Item,
    NliBackend,
    NotApplicable,
    NotFiniteError,
    Outcome,
    Unscored,
    UnscoredReason,
    Verdict,
)
from models.windows import WINDOWS_VERSION

_Planned = Plan | NotApplicable | Unscored
_Compared = Consistent | NotApplicable | Unscored | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Both:
    """What is to be read of an item: beside its contexts, and beside its alternative responses."""

    plan: _Planned
    comparison: Comparison | NotApplicable | Unscored | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NliParts:
    """What an NLI scorer is put together from."""

    backend: NliBackend
    encoder: Encoder
    calibration: Calibration
    weights_digest: str  # of the weights that `backend` runs
    limits: Limits = field(default_factory=Limits)
    threshold: Threshold = "strict"
    languages: tuple[str, ...] = ()  # ISO 639-1 codes of those that the model reads; empty: any
    cache: int = 0  # pairs that are remembered between calls
    exhaustive: bool = False  # read every window, whatever the first ones say: the same answers, for comparison


def rules_version() -> str:
    """Names all that decides a score beside model, limits and calibration: what a calibration was chosen under."""
    described = (
        claims_version(),
        WINDOWS_VERSION,
        READING_VERSION,
        NUMBERS_VERSION,
        AGGREGATION_VERSION,
        sorted(FUNCTION_WORDS),
    )
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


class NliScorer:
    """Scores responses by whether some window of their contexts entails each claim.

    The window is the premise and the claim the hypothesis. The question is not read: it would help only where a claim
    is a bare fragment ("Paris"), and costs every other pair its length.
    """

    def __init__(self, parts: NliParts) -> None:
        """Raises ModelError for a threshold that is none, or a language that cannot be told from others."""
        self._parts = parts
        threshold = parts.calibration.threshold(parts.threshold)
        check_languages(frozenset(parts.languages))
        self._fingerprint = _fingerprint(parts, threshold)
        self._consistency_fingerprint = _consistency_fingerprint(parts)
        self._reader = Reader(
            backend=parts.backend,
            encoder=parts.encoder,
            cache=PairCache(parts.cache),
            calibration=parts.calibration,
            exhaustive=parts.exhaustive,
            max_pairs=parts.limits.max_pairs,
        )

    @property
    def name(self) -> str:
        """`nli`."""
        return "nli"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights, tokenizer, splitter, languages, windows, order, aggregation, calibration, threshold."""
        return self._fingerprint

    @property
    def consistency_fingerprint(self) -> str:
        """SHA-256 over weights, tokenizer, splitter, languages, windows and the rules of comparison; no threshold."""
        return self._consistency_fingerprint

    @property
    def attributes(self) -> Mapping[str, str]:
        """The backend's."""
        return self._parts.backend.attributes

    def score(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Outcome]:
        """One outcome per item, in order: that of `assess`, without what alternative responses say."""
        bare = [replace(item, samples=()) for item in items]
        return [assessed.outcome for assessed in self.assess(bare, progress)]

    def assess(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Assessed]:
        """What is made of each item, in order; calls `progress` whenever a batch was done.

        Pairs that recur, within an item or between items, are read once. Items whose pairs the model answers with NaN
        or infinity are unscored; the others are not touched by it. Raises ModelError when the model cannot be run.
        """
        size = self._parts.backend.group or max(1, len(items))
        groups = [items[at : at + size] for at in range(0, len(items), size)]
        planner = Planner(
            encoder=self._parts.encoder,
            limits=self._parts.limits,
            languages=frozenset(self._parts.languages),
            progress=progress,
        )

        def plan(item: Item) -> _Both:
            compared = plan_comparison(planner, self._parts.encoder, self._parts.limits, item)
            return _Both(plan=planner.plan(item), comparison=compared)

        return [assessed for group, plans in _ahead(groups, plan) for assessed in self._assess(group, plans, progress)]

    def uncached(self) -> "NliScorer":
        """The same over the same backend, with a cache of its own that holds nothing."""
        return NliScorer(replace(self._parts, cache=0))

    def _assess(self, items: Sequence[Item], plans: Sequence[_Both], progress: Callable[[], None]) -> list[Assessed]:
        scans = {index: _scan(both.plan) for index, both in enumerate(plans) if isinstance(both.plan, Plan)}
        comparisons = [both.comparison for both in plans if isinstance(both.comparison, Comparison)]
        try:
            self._reader.read(list(scans.values()), progress, comparisons)
        except NotFiniteError:
            return [
                Assessed(
                    outcome=self._alone(item, both.plan, progress),
                    consistency=self._compare_alone(both, progress),
                )
                for item, both in zip(items, plans, strict=True)
            ]
        return [
            Assessed(
                outcome=self._outcome(item, both.plan, scans[index]) if isinstance(both.plan, Plan) else both.plan,
                consistency=_compared(both.comparison),
            )
            for index, (item, both) in enumerate(zip(items, plans, strict=True))
        ]

    def _compare_alone(self, both: _Both, progress: Callable[[], None]) -> _Compared:
        """What alternative responses say of an item whose call met a NaN, its own or a neighbour's."""
        if not isinstance(both.comparison, Comparison):
            return both.comparison
        again = both.comparison.anew()
        try:
            self._reader.read([], progress, [again])
        except NotFiniteError:
            return Unscored(reason=UnscoredReason.NOT_FINITE)
        return again.result()

    def _alone(self, item: Item, plan: _Planned, progress: Callable[[], None]) -> Outcome:
        """The outcome of one item whose call met a NaN, its own or a neighbour's."""
        if not isinstance(plan, Plan):
            return plan
        scan = _scan(plan)
        try:
            self._reader.read([scan], progress)
        except NotFiniteError:
            return Unscored(reason=UnscoredReason.NOT_FINITE)
        return self._outcome(item, plan, scan)

    def _outcome(self, item: Item, plan: Plan, scan: ItemScan) -> Outcome:
        if scan.given_up:
            return Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)
        results = [self._claim(item, claim, read) for claim, read in zip(plan.claims, scan.claims, strict=True)]
        checked = sum(result.score is not None for result in results)
        threshold = self._parts.calibration.raised(self._parts.threshold, checked)
        return judge_response(results, threshold, scan.pairs)

    def _claim(self, item: Item, planned: PlannedClaim, read: ClaimScan | None) -> ClaimResult:
        claim = planned.claim
        if read is None:
            return ClaimResult(
                start=claim.start,
                end=claim.end,
                text=claim.text,
                verdict=Verdict.NOT_CHECKABLE,
                score=None,
                probability=None,
                evidence=None,
            )
        judgement = judge_claim(read.found, read.about, self._parts.calibration, founded=not planned.missing)
        return ClaimResult(
            start=claim.start,
            end=claim.end,
            text=claim.text,
            verdict=judgement.verdict,
            score=judgement.score,
            probability=read.found[judgement.deciding],
            evidence=_evidence(item, planned.readings[judgement.deciding]),
        )


def _compared(comparison: Comparison | NotApplicable | Unscored | None) -> _Compared:
    return comparison.result() if isinstance(comparison, Comparison) else comparison


def _ahead(
    groups: Sequence[Sequence[Item]], plan: Callable[[Item], _Both]
) -> Iterator[tuple[Sequence[Item], list[_Both]]]:
    """Each group with its plans; those of the next are made while the caller reads this one."""
    if len(groups) < 2:  # noqa: PLR2004 - there is no next one
        yield from ((group, _plan_all(plan, group)) for group in groups)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="plan") as thread:
        coming = thread.submit(_plan_all, plan, groups[0])
        for group, following in zip(groups, [*groups[1:], []], strict=True):
            plans = coming.result()
            coming = thread.submit(_plan_all, plan, following)
            yield group, plans


def _plan_all(plan: Callable[[Item], _Both], items: Sequence[Item]) -> list[_Both]:
    return [plan(item) for item in items]


def _scan(plan: Plan) -> ItemScan:
    return ItemScan(claims=tuple(ClaimScan(planned=claim) if claim.ids else None for claim in plan.claims))


def _evidence(item: Item, reading: Reading) -> Evidence:
    """The window as a span of its context, without the space around it: what it quotes is there to the letter."""
    context = item.contexts[reading.context_index]
    quoted = context.text[reading.window.start : reading.window.end]
    start = reading.window.start + len(quoted) - len(quoted.lstrip())
    text = quoted.strip()
    return Evidence(
        context_id=context.id, context_index=reading.context_index, start=start, end=start + len(text), text=text
    )


def _consistency_fingerprint(parts: NliParts) -> str:
    described = {
        "scorer": "consistency",
        "weights": parts.weights_digest,
        "tokenizer": parts.encoder.digest,
        "claims": claims_version(),
        # Function words, too: they say which windows are the most relevant, and only those are read.
        "windows": [WINDOWS_VERSION, READING_VERSION, WINDOWS, sorted(FUNCTION_WORDS)],
        "rules": CONSISTENCY_VERSION,
        "languages": sorted(set(parts.languages)),
        "language": language_version(),
        "limits": asdict(parts.limits),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _fingerprint(parts: NliParts, threshold: float) -> str:
    described = {
        "scorer": "nli",
        "weights": parts.weights_digest,
        "tokenizer": parts.encoder.digest,
        "rules": rules_version(),
        "languages": sorted(set(parts.languages)),
        "language": language_version(),
        "limits": asdict(parts.limits),
        "calibration": asdict(parts.calibration),
        "threshold": threshold,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
