"""The fake scorer: no model, for tests and demonstrations. Never a measurement.

A claim's score is the share of its content words that no context holds; it is `unsupported` from 0.5 on, else
`supported`. An alternative response speaks against a claim if it lacks half of the claim's content words or more, and
answers of the same words mean the same. A response may carry directives, so that failures can be rehearsed with real
processes:

    [[fake:crash]]      the process exits at once with code 70, as a native crash would end it
    [[fake:hang]]       sleeps for an hour without progress
    [[fake:raise]]      raises ModelError, which fails the whole call
    [[fake:nan]]        this item is unscored, as if the model had answered NaN
    [[fake:slow=0.2]]   sleeps that many seconds, then scores as usual

Directives are obeyed item by item, in order, and are no part of the claims.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence

from models.aggregate import judge_response
from models.calibrate import BALANCED, Threshold
from models.claims import Claim, ClaimKind, claims_version, split_claims
from models.consistency import semantic_entropy
from models.types import (
    Alternative,
    Assessed,
    ClaimResult,
    Consistent,
    Evidence,
    Item,
    ModelError,
    NotApplicable,
    NotApplicableReason,
    Outcome,
    Probability,
    Unscored,
    UnscoredReason,
    Verdict,
)

STRICT = 0.75
CRASH_EXIT_CODE = 70

_HANG_SECONDS = 3600.0
_DIRECTIVE = re.compile(r"\[\[fake:(crash|hang|raise|nan|slow=(\d+(?:\.\d+)?))\]\]")
_WORD = re.compile(r"\w+")
_FUNCTION_WORDS = (
    " a an and are as at be been but by do does for from had has have he her his i in is it its me my not of on or our "
    "she so than that the their them there they this to was we were will with you your "
)
_VERSION = "1"
_CONSISTENCY_VERSION = "2"


class FakeScorer:
    """Scores by word overlap and obeys directives."""

    def __init__(self, threshold: Threshold = "strict") -> None:
        """`strict` is 0.75, `balanced` 0.5. Raises ModelError for another word or a number outside 0..1."""
        named = {"strict": STRICT, "balanced": BALANCED}
        value = named.get(threshold, 0.0) if isinstance(threshold, str) else threshold
        if not 0 < value <= 1:
            raise ModelError(f"threshold {threshold!r}: give 'strict', 'balanced' or a number above 0 and at most 1")
        self._threshold = value

    @property
    def name(self) -> str:
        """`fake`."""
        return "fake"

    @property
    def fingerprint(self) -> str:
        """Digest of the rules and the threshold."""
        return hashlib.sha256(f"fake {_VERSION} {claims_version()} {self._threshold}".encode()).hexdigest()

    @property
    def attributes(self) -> Mapping[str, str]:
        """`fake`, and nothing else."""
        return {"backend": "fake"}

    @property
    def consistency_fingerprint(self) -> str:
        """Digest of the rules."""
        return hashlib.sha256(f"fake consistency {_CONSISTENCY_VERSION} {claims_version()}".encode()).hexdigest()

    def score(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Outcome]:
        """One outcome per item, in order; calls `progress` after each. Raises ModelError where an item says so."""
        return [assessed.outcome for assessed in self.assess(items, progress)]

    def assess(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Assessed]:
        """The same, with what the alternative responses say: a claim's score is the share of those that speak against it."""
        assessed: list[Assessed] = []
        for item in items:
            unscored = self._obey(item)
            samples = tuple(each for each in item.samples if each.text.strip())
            compared = (unscored or _compare(item, samples)) if samples else None
            assessed.append(Assessed(outcome=unscored or self._score(item), consistency=compared))
            progress()
        return assessed

    def uncached(self) -> "FakeScorer":
        """Itself: it remembers nothing."""
        return self

    def _obey(self, item: Item) -> Unscored | None:
        """Does what the item's directives say."""
        unscored: Unscored | None = None
        for match in _DIRECTIVE.finditer(item.response):
            directive = match[1]
            if directive == "crash":
                os._exit(CRASH_EXIT_CODE)
            elif directive == "hang":
                time.sleep(_HANG_SECONDS)
            elif directive == "raise":
                raise ModelError("the response asked the fake scorer to fail")
            elif directive == "nan":
                unscored = Unscored(reason=UnscoredReason.NOT_FINITE)
            else:
                time.sleep(float(match[2]))
        return unscored

    def _score(self, item: Item) -> Outcome:
        if not any(context.text.strip() for context in item.contexts):
            return NotApplicable(reason=NotApplicableReason.NO_CONTEXT)
        claims = split_claims(_undirected(item.response))
        if nothing := _nothing_to_check(claims):
            return nothing
        known = {word for context in item.contexts for word in _words(context.text)}
        checked = sum(claim.kind is ClaimKind.CHECKABLE for claim in claims)
        results = [_claim(item, claim, known) for claim in claims]
        return judge_response(results, self._threshold, checked)


def _undirected(response: str) -> str:
    """The response with its directives blanked to the same length, so that offsets stay those of it as given."""
    return _DIRECTIVE.sub(lambda match: " " * len(match[0]), response)


def _nothing_to_check(claims: Sequence[Claim]) -> NotApplicable | None:
    kinds = {claim.kind for claim in claims}
    if ClaimKind.CHECKABLE in kinds:
        return None
    refused = ClaimKind.REFUSAL in kinds
    return NotApplicable(reason=NotApplicableReason.REFUSAL if refused else NotApplicableReason.NO_CLAIMS)


def _compare(item: Item, samples: Sequence[Alternative]) -> Consistent | NotApplicable:
    response = _undirected(item.response)
    claims = split_claims(response)
    if nothing := _nothing_to_check(claims):
        return nothing
    known = [_words(each.text) for each in samples]
    results = []
    for claim in claims:
        lacking = [_claim(item, claim, words, evidence=False).score or 0.0 for words in known]
        share = sum(score >= BALANCED for score in lacking) / len(known)
        checked = claim.kind is ClaimKind.CHECKABLE
        verdict = Verdict.SUPPORTED if share < BALANCED else Verdict.CONTRADICTED
        results.append(
            ClaimResult(
                start=claim.start,
                end=claim.end,
                text=item.response[claim.start : claim.end],
                verdict=verdict if checked else Verdict.NOT_CHECKABLE,
                score=share if checked else None,
                probability=None,
                evidence=None,
            )
        )
    meanings = [_words(response), *known]
    places = [meanings.index(meaning) for meaning in meanings]
    return Consistent(
        scored=judge_response(results, BALANCED, 0),
        entropy=semantic_entropy(places, [each.likelihood for each in samples]),
        clusters=len(set(places)),
        samples=len(samples),
        pairs=0,
    )


def _claim(item: Item, claim: Claim, known: set[str], *, evidence: bool = True) -> ClaimResult:
    words = {word for word in _words(claim.text) if f" {word} " not in _FUNCTION_WORDS}
    checked = claim.kind is ClaimKind.CHECKABLE
    missing = len(words - known) / len(words) if words else 0.0
    verdict = Verdict.SUPPORTED if missing < BALANCED else Verdict.UNSUPPORTED
    return ClaimResult(
        start=claim.start,
        end=claim.end,
        text=item.response[claim.start : claim.end],
        verdict=verdict if checked else Verdict.NOT_CHECKABLE,
        score=missing if checked else None,
        probability=Probability(entailment=1 - missing, neutral=missing, contradiction=0.0) if checked else None,
        evidence=_evidence(item, words) if checked and evidence else None,
    )


def _evidence(item: Item, words: set[str]) -> Evidence:
    """The context that shares most words with the claim, whole, without the space around it."""
    index = max(
        (index for index, context in enumerate(item.contexts) if context.text.strip()),
        key=lambda index: len(words & _words(item.contexts[index].text)),
    )
    context = item.contexts[index]
    start = len(context.text) - len(context.text.lstrip())
    text = context.text.strip()
    return Evidence(context_id=context.id, context_index=index, start=start, end=start + len(text), text=text)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
