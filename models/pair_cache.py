"""The cache: what the model said of pairs that it read before, the least recently asked forgotten first."""

from collections import OrderedDict

from models.types import Probability, TokenIds

PairKey = tuple[TokenIds, TokenIds]  # window and claim; a cache belongs to one model


class PairCache:
    """At most `size` answers, about 0.5 kB each; 0 remembers nothing. For one thread."""

    def __init__(self, size: int) -> None:
        """Holds nothing yet."""
        self._size = size
        self._known: OrderedDict[PairKey, Probability] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: PairKey) -> Probability | None:
        """What the model said, if it is remembered."""
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        return known

    def put(self, key: PairKey, probability: Probability) -> None:
        """Remembers an answer, and forgets the oldest if there are too many."""
        if not self._size:
            return
        self._known[key] = probability
        if len(self._known) > self._size:
            self._known.popitem(last=False)
