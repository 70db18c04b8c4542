"""The buffer: bounded in submissions and in bytes, over everything that is not settled yet."""

import threading
from collections import deque
from collections.abc import Iterable

from assay_client.submission import Item


class Buffer:
    """Submissions that wait, that are in a request, and that wait for another try; all count against the bounds."""

    def __init__(self, max_items: int, max_bytes: int) -> None:
        """Takes the bounds."""
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._lock = threading.RLock()  # a signal handler or a destructor may submit while its thread holds it
        self._waiting: deque[Item] = deque()
        self._retries: list[Item] = []  # each with its own time
        self._in_hand: dict[int, Item] = {}  # with the sending thread
        self.items = 0
        self.bytes = 0

    def add(self, item: Item) -> bool:
        """Holds it, or refuses where it would go over a bound."""
        with self._lock:
            if self.items >= self._max_items or self.bytes + item.size > self._max_bytes:
                return False
            self.items += 1
            self.bytes += item.size
            self._waiting.append(item)
            return True

    def take(self, limit: int, now: float) -> list[Item]:
        """Retries that are due first, then the longest waiting. They stay held, and in hand, until settled."""
        with self._lock:
            batch = [item for item in self._retries if item.due <= now][:limit]
            if batch:
                due = set(map(id, batch))
                self._retries = [item for item in self._retries if id(item) not in due]
            while self._waiting and len(batch) < limit:
                batch.append(self._waiting.popleft())
            self._in_hand.update((id(item), item) for item in batch)
            return batch

    def take_older(self, born: float) -> list[Item]:
        """Takes those at the front that were born before."""
        with self._lock:
            old = []
            while self._waiting and self._waiting[0].born < born:
                old.append(self._waiting.popleft())
            return old

    def retry(self, item: Item) -> None:
        """Holds what was taken until it is due."""
        with self._lock:
            del self._in_hand[id(item)]
            self._retries.append(item)

    def recover(self) -> None:
        """Puts what was taken and not settled, for whatever reason, back to the front in its order."""
        with self._lock:
            self._waiting.extendleft(reversed(self._in_hand.values()))
            self._in_hand.clear()

    def release(self, items: Iterable[Item]) -> None:
        """Lets go of what is settled."""
        with self._lock:
            for item in items:
                self._in_hand.pop(id(item), None)
                self.items -= 1
                self.bytes -= item.size

    def take_all(self) -> list[Item]:
        """Takes everything that is held."""
        with self._lock:
            everything = [*self._in_hand.values(), *self._retries, *self._waiting]
            self._in_hand, self._retries = {}, []
            self._waiting.clear()
            return everything
