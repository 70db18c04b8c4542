"""The comparison: a response beside alternative responses to the same question, pair by pair of an NLI model.

Each claim of the response is read beside the windows of each alternative that are most relevant to it, and whole answers
beside each other, both ways, to find those that mean the same. What is the same to the letter is never read.
"""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from models.aggregate import judge_response
from models.claims import split_claims
from models.consistency import FLAGGED_FROM, contradicts, deciding, disagreement, entails, semantic_entropy
from models.limits import Limits
from models.pair_cache import PairKey
from models.pairs import Plan, PlannedClaim, Planner
from models.phrases import plain
from models.tokens import Encoder, pack
from models.types import (
    ClaimResult,
    Consistent,
    Context,
    Item,
    NotApplicable,
    NotApplicableReason,
    Probability,
    TokenIds,
    Unscored,
    UnscoredReason,
    Verdict,
)

WINDOWS = 3  # of an alternative that are read beside a claim, the most relevant ones


@dataclass(kw_only=True, slots=True)
class Comparison:
    """How far one item was compared."""

    item: Item
    claims: tuple[PlannedClaim, ...]
    # Of each claim, for each alternative, the windows to read; none where it is there to the letter.
    windows: tuple[tuple[tuple[TokenIds, ...], ...], ...]
    texts: tuple[TokenIds, ...]  # of the distinct answers, as they are read whole; the response's first
    answers: tuple[int, ...]  # of the response and each alternative its place among the distinct ones
    cut: bool  # an answer is longer than what is read of it, so that what differs may not have been read
    begun: bool = False
    found: dict[PairKey, Probability] = field(default_factory=dict)
    clusters: dict[int, int] = field(default_factory=dict)  # of distinct answers, those that have one

    @property
    def read(self) -> int:
        """Distinct pairs that were read."""
        return len(self.found)

    def anew(self) -> "Comparison":
        """The same, with nothing read yet."""
        return Comparison(
            item=self.item,
            claims=self.claims,
            windows=self.windows,
            texts=self.texts,
            answers=self.answers,
            cut=self.cut,
        )

    def next_keys(self) -> list[PairKey]:
        """The pairs to read next; none when nothing is left."""
        keys: list[PairKey] = []
        if not self.begun:
            keys += self._claim_keys()
        if not self.cut and (leader := self._leader()) is not None:
            keys += [key for other in self._open(leader) for key in self._both(leader, other)]
        return keys

    def take(self, answers: Sequence[Probability]) -> None:
        """Takes the answers to the pairs that were asked for last, in their order."""
        keys = self.next_keys()
        self.found.update(zip(keys, answers, strict=True))
        self.begun = True
        self._cluster()

    def _cluster(self) -> None:
        """Gives meanings to answers, as far as what was read tells them; to none where one was cut."""
        if self.cut:
            return
        while (leader := self._leader()) is not None:
            others = self._open(leader)
            if any(key not in self.found for other in others for key in self._both(leader, other)):
                return
            self.clusters[leader] = leader
            for other in others:
                if all(entails(self.found[key]) for key in self._both(leader, other)):
                    self.clusters[other] = leader

    def _claim_keys(self) -> list[PairKey]:
        return [
            (window, claim.ids)
            for claim, alternatives in zip(self.claims, self.windows, strict=True)
            for windows in alternatives
            for window in windows
        ]

    def _leader(self) -> int | None:
        """The first answer without a meaning: others are held against it, as against the first of each cluster."""
        return next((place for place in range(len(self.texts)) if place not in self.clusters), None)

    def _open(self, leader: int) -> list[int]:
        return [place for place in range(leader + 1, len(self.texts)) if place not in self.clusters]

    def _both(self, one: int, other: int) -> tuple[PairKey, PairKey]:
        return (self.texts[one], self.texts[other]), (self.texts[other], self.texts[one])

    def result(self) -> Consistent:
        """What came out, once nothing is left to read."""
        self._cluster()  # of answers that are all the same nothing was read
        results = [self._claim(claim, windows) for claim, windows in zip(self.claims, self.windows, strict=True)]
        meanings = [] if self.cut else [self.clusters[place] for place in self.answers]
        return Consistent(
            scored=judge_response(results, FLAGGED_FROM, self.read),
            entropy=None if self.cut else semantic_entropy(meanings, [each.likelihood for each in self.item.samples]),
            clusters=None if self.cut else len(set(meanings)),
            samples=len(self.item.samples),
            pairs=self.read,
        )

    def _claim(self, planned: PlannedClaim, alternatives: tuple[tuple[TokenIds, ...], ...]) -> ClaimResult:
        claim, score, verdict = planned.claim, None, Verdict.NOT_CHECKABLE
        if planned.ids:
            found = [[self.found[window, planned.ids] for window in windows] for windows in alternatives]
            # Summed exactly: the order of alternatives changes nothing.
            score = math.fsum(disagreement(read) for read in found if read) / len(found)
            contradicted = any(contradicts(deciding(read)) for read in found if read)
            against = Verdict.CONTRADICTED if contradicted else Verdict.UNSUPPORTED
            verdict = Verdict.SUPPORTED if score < FLAGGED_FROM else against
        return ClaimResult(
            start=claim.start,
            end=claim.end,
            text=claim.text,
            verdict=verdict,
            score=score,
            probability=None,
            evidence=None,
        )


def plan_comparison(
    planner: Planner, encoder: Encoder, limits: Limits, item: Item
) -> Comparison | NotApplicable | Unscored | None:
    """What is to be read of an item with alternatives, or why nothing is; None where it has none.

    At most claims x alternatives x WINDOWS + n (n - 1) pairs for n distinct answers; beyond the limits it is unscored.
    """
    alternatives = tuple(each for each in item.samples if each.text.strip())
    if not alternatives:
        return None
    item = replace(item, samples=alternatives)
    texts, answers, cut = _whole(encoder, limits, item)
    pairs = 0 if cut else len(texts) * (len(texts) - 1)
    claims: tuple[PlannedClaim, ...] = ()
    beside: list[list[tuple[TokenIds, ...]]] = []  # of each alternative, for each claim
    for each in alternatives:
        planner.progress()
        alone = Item(response=item.response, contexts=(Context(id="0", text=each.text),))
        plan = planner.plan(alone)
        if isinstance(plan, NotApplicable) and plan.reason is NotApplicableReason.NO_CONTEXT:
            return Unscored(reason=UnscoredReason.LANGUAGE)  # it holds nothing that the tokenizer reads
        if not isinstance(plan, Plan):
            return plan
        said = {_same_words(claim.text) for claim in split_claims(each.text)}
        claims = claims or plan.claims
        beside.append([_windows(claim, said) for claim in plan.claims])
        pairs += sum(map(len, beside[-1]))
        if pairs > limits.max_pairs:
            return Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)
    windows = tuple(tuple(row[place] for row in beside) for place in range(len(claims)))
    return Comparison(item=item, claims=claims, windows=windows, texts=texts, answers=answers, cut=cut)


def _windows(planned: PlannedClaim, said: AbstractSet[str]) -> tuple[TokenIds, ...]:
    """The windows to read; none for a claim that is a whole sentence of the alternative, `said` being those."""
    if not planned.ids or _same_words(planned.claim.text) in said:
        return ()
    return tuple(reading.ids for reading in planned.readings[:WINDOWS])


def _same_words(text: str) -> str:
    """The text as far as it matters for being the same to the letter: not its case, spaces or markup."""
    return " ".join(plain(text).casefold().split())


def _whole(encoder: Encoder, limits: Limits, item: Item) -> tuple[tuple[TokenIds, ...], tuple[int, ...], bool]:
    """The distinct answers as they are read whole, which one the response and each alternative is, and whether one is cut.

    Each gets half of the model's input. The question is before all of them where it fits beside the longest, else before
    none: both sides of a pair are read alike.
    """
    room = (limits.max_length - encoder.specials) // 2
    question = encoder.encode(item.question).ids if item.question else ()
    places: dict[str, int] = {}
    texts: list[Sequence[int]] = []
    answers: list[int] = []
    for text in (item.response, *(each.text for each in item.samples)):
        key = _same_words(text)
        if key not in places:
            places[key] = len(texts)
            texts.append(encoder.encode(text.strip()).ids)
        answers.append(places[key])
    longest = max(map(len, texts))
    asked = question if len(question) + longest <= room else ()
    read = tuple(pack([*asked, *ids][:room]) for ids in texts)
    return read, tuple(answers), longest > room and len(texts) > 1
