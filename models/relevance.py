"""The relevance of a window for a claim: what to read first. It decides how much is read, never what comes out.

BM25 (Robertson and Zaragoza 2009, section 3.1) over token ids, each counted once a window, which is as good as always
the case in a sentence.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

_K1 = 1.2
_B = 0.75


@dataclass(frozen=True, kw_only=True, slots=True)
class Rarity:
    """How much each word tells among the sentences of an item, and how long these are."""

    weights: Mapping[int, float]  # inverse document frequency, above 0
    mean_length: float  # tokens of a sentence

    def relevance(self, shared: Collection[int], length: int) -> float:
        """The BM25 score of a window of `length` tokens that shares those words with the claim; 0 for none."""
        if not shared:
            return 0.0
        norm = _K1 * (1 - _B + _B * length / self.mean_length)
        return sum(self.weights[word] for word in shared) * (_K1 + 1) / (1 + norm)


def rarity(sentences: Sequence[frozenset[int]], lengths: Sequence[int]) -> Rarity:
    """The rarity of the words of these sentences, at least one; `lengths` are their tokens."""
    frequency = Counter(word for sentence in sentences for word in sentence)
    total = len(sentences)
    weights = {word: math.log(1 + (total - held + 0.5) / (held + 0.5)) for word, held in frequency.items()}
    return Rarity(weights=weights, mean_length=sum(lengths) / total)
