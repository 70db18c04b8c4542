"""The plan: which windows of an item are to be read beside which of its claims."""

import re
from dataclasses import dataclass, field

from models.claims import Claim, ClaimKind, plain, split_claims
from models.limits import Limits
from models.tokens import Encoded, Encoder
from models.types import Context, Item, NotApplicable, NotApplicableReason, Unscored, UnscoredReason
from models.windows import Source, Window, make_windows, read_source

_SPACES = re.compile(r" {2,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One window to be read beside one claim."""

    context_index: int
    window: Window
    ids: tuple[int, ...]  # the window's tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedClaim:
    """A claim and what is to be read beside it: nothing exactly when it is not to be checked."""

    claim: Claim
    ids: tuple[int, ...] = ()
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The claims of an item, in order; at least one is to be checked."""

    claims: tuple[PlannedClaim, ...]


@dataclass(kw_only=True, slots=True)
class Planner:
    """Makes plans; texts that recur among the items of one call are tokenised once."""

    encoder: Encoder
    limits: Limits
    _sources: dict[str, Source] = field(default_factory=dict)
    _readings: dict[tuple[str, int], tuple[tuple[Window, tuple[int, ...]], ...]] = field(default_factory=dict)

    def plan(self, item: Item) -> Plan | NotApplicable | Unscored:
        """The plan for `item`, or why there is none. In this order: no context, no claims, a refusal."""
        contexts = [(index, self._source(context)) for index, context in enumerate(item.contexts)]
        contexts = [(index, source) for index, source in contexts if source.encoded.ids]
        if not contexts:
            return NotApplicable(reason=NotApplicableReason.NO_CONTEXT)
        claims = split_claims(item.response)
        encoded = [self._encode(claim) for claim in claims]
        if not any(encoded):
            refused = any(claim.kind is ClaimKind.REFUSAL for claim in claims)
            reason = NotApplicableReason.REFUSAL if refused else NotApplicableReason.NO_CLAIMS
            return NotApplicable(reason=reason)
        return self._lay_out(item, [index for index, _ in contexts], list(zip(claims, encoded, strict=True)))

    def _lay_out(self, item: Item, contexts: list[int], claims: list[tuple[Claim, tuple[int, ...]]]) -> Plan | Unscored:
        planned: list[PlannedClaim] = []
        pairs = 0
        for claim, ids in claims:
            if not ids:
                planned.append(PlannedClaim(claim=claim))
                continue
            budget = min(self.limits.window, self.limits.max_length - self.encoder.specials - len(ids))
            if budget < self.limits.least_window:
                return Unscored(reason=UnscoredReason.CLAIM_TOO_LONG)
            readings = tuple(
                Reading(context_index=index, window=window, ids=window_ids)
                for index in contexts
                for window, window_ids in self._windows(item.contexts[index].text, budget)
            )
            pairs += len(readings)
            if pairs > self.limits.max_pairs:
                return Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)
            planned.append(PlannedClaim(claim=claim, ids=ids, readings=readings))
        return Plan(claims=tuple(planned))

    def _encode(self, claim: Claim) -> tuple[int, ...]:
        """The claim's tokens; none when it is not to be checked or holds nothing that the tokenizer reads."""
        if claim.kind is not ClaimKind.CHECKABLE:
            return ()
        # Markup leaves spaces behind, which byte-level tokenizers would read as tokens.
        return tuple(self.encoder.encode(_SPACES.sub(" ", plain(claim.text)).strip(" ")).ids)

    def _source(self, context: Context) -> Source:
        source = self._sources.get(context.text)
        if source is None:
            blank = not context.text.strip()
            encoded = Encoded(ids=(), starts=(), ends=()) if blank else self.encoder.encode(context.text)
            source = self._sources[context.text] = read_source(context.text, encoded)
        return source

    def _windows(self, text: str, budget: int) -> tuple[tuple[Window, tuple[int, ...]], ...]:
        readings = self._readings.get((text, budget))
        if readings is None:
            source = self._sources[text]
            readings = tuple((window, self._read(text, source, window)) for window in make_windows(source, budget))
            self._readings[text, budget] = readings
        return readings

    def _read(self, text: str, source: Source, window: Window) -> tuple[int, ...]:
        ids = source.encoded.ids[window.first : window.last]
        return tuple(self.encoder.reread(text[window.start : window.end].strip(), ids))
