"""The plan: which windows of an item are to be read beside which of its claims, and in which order."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from models.claims import Claim, ClaimKind, split_claims
from models.language import readable
from models.limits import Limits
from models.numbers import given_numbers, missing_numbers
from models.phrases import plain
from models.relevance import Rarity, rarity
from models.tokens import Encoded, Encoder, pack
from models.types import Context, Item, NotApplicable, NotApplicableReason, TokenIds, Unscored, UnscoredReason
from models.windows import Source, Window, cut_sentences, join_windows, make_runs, read_source

# Raise with any change to the order or to what is read of a text: it is part of every scorer's fingerprint.
READING_VERSION = "2"

# Of a claim's content words, those that a window holds that speaks of the same.
_ABOUT_SHARE = 1 / 3

_SPACES = re.compile(r" {2,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One window to be read beside one claim."""

    context_index: int
    window: Window
    ids: TokenIds  # the window's tokens
    about: bool  # it speaks of what the claim speaks of; another says little of it, whatever the model makes of the two


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedClaim:
    """A claim and what is to be read beside it."""

    claim: Claim
    ids: TokenIds = b""  # none exactly when it is not to be checked
    missing: tuple[str, ...] = ()  # numbers that it states and neither the question nor any context gives
    readings: tuple[Reading, ...] = ()  # those that are about the claim first, the most relevant of them at the front


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The claims of an item, in order; at least one is to be checked."""

    claims: tuple[PlannedClaim, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentences:
    """A context cut into windows of one sentence."""

    text: str
    source: Source
    windows: tuple[Window, ...]
    words: tuple[frozenset[int], ...]  # tokens that say what a sentence is about


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shelf:
    """The contexts of an item, cut for claims of one size."""

    contexts: tuple[tuple[int, Sentences], ...]  # each with its index in the item
    rarity: Rarity
    size: int  # sentences of all contexts


@dataclass(kw_only=True, slots=True)
class Planner:
    """Makes plans; texts that recur among the items of one call are tokenised once."""

    encoder: Encoder
    limits: Limits
    languages: frozenset[str] = frozenset()  # that the model reads; empty: any
    progress: Callable[[], None] = lambda: None  # called between steps: large items take seconds
    _sources: dict[str, Source] = field(default_factory=dict)
    _sentences: dict[tuple[str, int], Sentences] = field(default_factory=dict)
    _ids: dict[tuple[str, int, int], TokenIds] = field(default_factory=dict)

    def plan(self, item: Item) -> Plan | NotApplicable | Unscored:
        """The plan for `item`, or why there is none. In this order: no context, no claims, a refusal, a language."""
        contexts = [index for index, context in enumerate(item.contexts) if self._source(context).encoded.ids]
        if not contexts:
            return NotApplicable(reason=NotApplicableReason.NO_CONTEXT)
        claims = split_claims(item.response)
        encoded = [self._encode(claim) for claim in claims]
        if not any(encoded):
            refused = any(claim.kind is ClaimKind.REFUSAL for claim in claims)
            reason = NotApplicableReason.REFUSAL if refused else NotApplicableReason.NO_CLAIMS
            return NotApplicable(reason=reason)
        if not self._readable(item, contexts, encoded):
            return Unscored(reason=UnscoredReason.LANGUAGE)
        return self._lay_out(item, contexts, list(zip(claims, encoded, strict=True)))

    def _lay_out(self, item: Item, contexts: list[int], claims: list[tuple[Claim, tuple[int, ...]]]) -> Plan | Unscored:
        shelves: dict[int, _Shelf] = {}
        planned: list[PlannedClaim] = []
        if sum(bool(ids) for _, ids in claims) > self.limits.max_pairs:
            return Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)
        given = given_numbers((item.question or "", *(context.text for context in item.contexts)))
        self.progress()
        ranked = 0
        for claim, ids in claims:
            if not ids:
                planned.append(PlannedClaim(claim=claim))
                continue
            budget = min(self.limits.window, self.limits.max_length - self.encoder.specials - len(ids))
            if budget < self.limits.least_window:
                return Unscored(reason=UnscoredReason.CLAIM_TOO_LONG)
            # Few sizes: each one cuts all contexts anew.
            if budget < self.limits.window:
                budget -= budget % self.limits.least_window
            self.progress()
            shelf = shelves.get(budget) or shelves.setdefault(budget, self._shelve(item, contexts, budget))
            ranked += shelf.size
            if ranked > self.limits.max_ranked:
                return Unscored(reason=UnscoredReason.TOO_MANY_PAIRS)
            planned.append(
                PlannedClaim(
                    claim=claim,
                    ids=pack(ids),
                    missing=missing_numbers(plain(claim.text), given),
                    readings=self._readings(shelf, ids, budget),
                )
            )
        return Plan(claims=tuple(planned))

    def _readable(self, item: Item, contexts: list[int], claims: list[tuple[int, ...]]) -> bool:
        """Whether the model knows the language of the response, of a context, and some word of each claim."""
        return (
            readable(item.response, self.languages)
            and any(readable(item.contexts[index].text, self.languages) for index in contexts)
            and not any(self.encoder.unknown in ids and self.encoder.fillers.issuperset(ids) for ids in claims)
        )

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

    def _shelve(self, item: Item, contexts: list[int], budget: int) -> _Shelf:
        cut = tuple((index, self._cut(item.contexts[index].text, budget)) for index in contexts)
        words = [words for _, sentences in cut for words in sentences.words]
        lengths = [window.last - window.first for _, sentences in cut for window in sentences.windows]
        return _Shelf(contexts=cut, rarity=rarity(words, lengths), size=len(words))

    def _cut(self, text: str, budget: int) -> Sentences:
        sentences = self._sentences.get((text, budget))
        if sentences is None:
            self.progress()
            source = self._sources[text]
            windows = cut_sentences(source, budget)
            sentences = self._sentences[text, budget] = Sentences(
                text=text,
                source=source,
                windows=tuple(windows),
                words=tuple(self.encoder.words(source.encoded.ids[window.first : window.last]) for window in windows),
            )
        return sentences

    def _read(self, sentences: Sentences, window: Window) -> TokenIds:
        key = (sentences.text, window.first, window.last)
        packed = self._ids.get(key)
        if packed is None:
            ids = sentences.source.encoded.ids[window.first : window.last]
            text = sentences.text[window.start : window.end].strip()
            packed = self._ids[key] = pack(self.encoder.reread(text, ids))
        return packed

    def _readings(self, shelf: _Shelf, claim: tuple[int, ...], budget: int) -> tuple[Reading, ...]:
        """All windows for the claim in the order in which to read them; of those alike the first, sentences before runs."""
        words = self.encoder.words(claim)
        ranked: list[tuple[bool, float, Reading]] = []
        for index, sentences in shelf.contexts:
            shared = [words & held for held in sentences.words]
            windows = list(zip(sentences.windows, shared, strict=True))
            for first, last, common in make_runs(sentences.windows, shared, budget):
                windows.append(
                    (join_windows(sentences.source, sentences.windows[first], sentences.windows[last]), common)
                )
            for window, common in windows:
                about = len(common) >= _ABOUT_SHARE * len(words)
                ids = self._read(sentences, window)
                reading = Reading(context_index=index, window=window, ids=ids, about=about)
                ranked.append((not about, -shelf.rarity.relevance(common, window.last - window.first), reading))
        ranked.sort(key=lambda each: each[:2])
        distinct: dict[TokenIds, Reading] = {}
        for *_, reading in ranked:
            distinct.setdefault(reading.ids, reading)
        return tuple(distinct.values())
