"""The pass: what a run learns from once, made ahead by processes of their own while it learns from the one before."""

from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self

from models.training.encoded import Encoded, encode, read_tokenizer
from models.training.examples import read_sets
from models.training.made import Maker

_SEED = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """What passes hold."""

    sets_only: int = 1  # passes, the first ones, over the examples of the public sets alone
    made: float = 1.0  # of the others: how many made examples of each kind, as a share of `made.KINDS`
    max_length: int = 224  # tokens of a pair; the premise is cut


def make_pass(data: Path, start: Path, mixture: Mixture, number: int) -> Encoded:
    """The pass of a number: every example of the sets, and made ones drawn anew; the same each time."""
    examples = read_sets(data / "train", _SEED)
    if number >= mixture.sets_only:
        examples = Maker(examples, _SEED + number, mixture.made).mix()
    return encode(examples, read_tokenizer(start, mixture.max_length))


class Passes:
    """The passes of a run; a call gives the one of a number and has so many of the next ones made ahead."""

    def __init__(self, data: Path, start: Path, mixture: Mixture, passes: int, ahead: int) -> None:
        """With `ahead` 0 each is made when it is asked for, in this process."""
        self._data, self._start, self._mixture, self._passes, self._ahead = data, start, mixture, passes, ahead
        self._making: dict[int, Future[Encoded]] = {}
        # A process that was forked from one that uses a GPU cannot.
        self._pool = ProcessPoolExecutor(ahead, mp_context=get_context("spawn")) if ahead else None

    def __call__(self, number: int) -> Encoded:
        """The pass of this number."""
        if self._pool is None:
            return make_pass(self._data, self._start, self._mixture, number)
        for later in range(number, min(number + self._ahead + 1, self._passes)):
            if later not in self._making:
                self._making[later] = self._pool.submit(make_pass, self._data, self._start, self._mixture, later)
        return self._making.pop(number).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
