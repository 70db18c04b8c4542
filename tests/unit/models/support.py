"""Stand-ins for the model: real classes that record what they are asked."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from models.calibrate import Calibration
from models.limits import Limits
from models.nli import NliParts, NliScorer
from models.phrases import FUNCTION_WORDS
from models.tokens import Encoded, count, pack, unpack
from models.types import EncodedPair, NotFiniteError, Probability, TokenIds

EVEN = Calibration(slope=1.0, intercept=0.0, strict=0.8, accepted=0.9)
SEPARATOR = 1


class WordEncoder:
    """One token per word or sign; a word's id follows from its letters."""

    digest = "words"
    specials = 3
    unknown = None

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.fillers = frozenset(map(self.id, [*FUNCTION_WORDS, *".,;:!?"]))

    def words(self, ids: Sequence[int]) -> frozenset[int]:
        """The ids but for the fillers."""
        return frozenset(ids) - self.fillers

    def encode(self, text: str) -> Encoded:
        """All tokens of `text`."""
        self.encoded.append(text)
        found = list(re.finditer(r"\w+|[^\w\s]", text))
        return Encoded(
            ids=[self.id(match[0]) for match in found],
            starts=[match.start() for match in found],
            ends=[match.end() for match in found],
        )

    def reread(self, text: str, ids: Sequence[int]) -> Sequence[int]:
        """The same tokens."""
        del text
        return ids

    def id(self, word: str) -> int:
        """The id of one word, above the special ones."""
        return 10 + int.from_bytes(hashlib.sha256(word.lower().encode()).digest()[:3], "big")

    def join(self, window: TokenIds, claim: TokenIds) -> EncodedPair:
        """0 window 1 claim 1."""
        end = pack([SEPARATOR])
        return EncodedPair(
            input_ids=pack([0]) + window + end + claim + end,
            token_type_ids=bytes(count(window) + 2) + b"\1" * (count(claim) + 1),
        )


@dataclass
class WordBackend:
    """Entails a claim by the share of its words in the window; `poison` in a claim makes the whole call NaN."""

    poison: int = -1
    group: int = 0
    attributes: Mapping[str, str] = field(default_factory=lambda: {"backend": "words"})
    calls: list[list[EncodedPair]] = field(default_factory=list)

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        """One probability per pair, in order."""
        self.calls.append(list(pairs))
        progress()
        return [self._one(pair) for pair in pairs]

    def _one(self, pair: EncodedPair) -> Probability:
        ids = list(unpack(pair.input_ids))
        at = ids.index(SEPARATOR)
        window, claim = set(ids[1:at]), set(ids[at + 1 : -1])
        if self.poison in claim:
            raise NotFiniteError
        share = len(claim & window) / len(claim)
        return Probability(entailment=share, neutral=1 - share, contradiction=0.0)


@dataclass
class HashBackend(WordBackend):
    """Probabilities that follow from a pair's bytes and nothing else: no order foretells them, and some contradict."""

    def _one(self, pair: EncodedPair) -> Probability:
        digest = hashlib.sha256(pair.input_ids).digest()
        weights = [digest[at] ** 2 + 1 for at in range(3)]
        entailment, neutral, contradiction = (weight / sum(weights) for weight in weights)
        return Probability(entailment=entailment, neutral=neutral, contradiction=contradiction)


def word_scorer(
    backend: WordBackend | None = None, limits: Limits | None = None, *, exhaustive: bool = False, cache: int = 0
) -> NliScorer:
    """An NLI scorer that reads words."""
    return NliScorer(
        NliParts(
            backend=backend or WordBackend(),
            encoder=WordEncoder(),
            calibration=EVEN,
            weights_digest="none",
            limits=limits or Limits(window=20, least_window=4, max_length=64),
            exhaustive=exhaustive,
            cache=cache,
        )
    )
