"""Stand-ins for the model: real classes that record what they are asked."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from models.calibrate import Calibration
from models.limits import Limits
from models.nli import NliParts, NliScorer
from models.tokens import Encoded
from models.types import EncodedPair, NotFiniteError, Probability

EVEN = Calibration(slope=1.0, intercept=0.0, strict=0.8)
SEPARATOR = 1


class WordEncoder:
    """One token per word or sign; a word's id follows from its letters."""

    digest = "words"
    specials = 3

    def __init__(self) -> None:
        self.encoded: list[str] = []

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
        return 10 + int.from_bytes(hashlib.sha256(word.lower().encode()).digest()[:6], "big")

    def join(self, window: Sequence[int], claim: Sequence[int]) -> EncodedPair:
        """0 window 1 claim 1."""
        return EncodedPair(
            input_ids=(0, *window, SEPARATOR, *claim, SEPARATOR),
            token_type_ids=(0,) * (len(window) + 2) + (1,) * (len(claim) + 1),
        )


@dataclass
class WordBackend:
    """Entails a claim by the share of its words in the window; `poison` in a claim makes the whole call NaN."""

    poison: int = -1
    attributes: Mapping[str, str] = field(default_factory=lambda: {"backend": "words"})
    calls: list[list[EncodedPair]] = field(default_factory=list)

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        """One probability per pair, in order."""
        self.calls.append(list(pairs))
        progress()
        return [self._one(pair) for pair in pairs]

    def _one(self, pair: EncodedPair) -> Probability:
        at = pair.input_ids.index(SEPARATOR)
        window, claim = set(pair.input_ids[1:at]), set(pair.input_ids[at + 1 : -1])
        if self.poison in claim:
            raise NotFiniteError
        share = len(claim & window) / len(claim)
        return Probability(entailment=share, neutral=1 - share, contradiction=0.0)


def word_scorer(backend: WordBackend | None = None, limits: Limits | None = None) -> NliScorer:
    """An NLI scorer that reads words."""
    return NliScorer(
        NliParts(
            backend=backend or WordBackend(),
            encoder=WordEncoder(),
            calibration=EVEN,
            weights_digest="none",
            limits=limits or Limits(window=20, least_window=4, max_length=64),
        )
    )
