"""Simulated windows before the code that runs: `estimate`, `readings`, `judge` and `step`, minute by minute.

Minutes at which no incident can begin are left out. `tests/unit/workers/test_bench_alarms.py` holds it to be the same.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from service.core.alerting.machine import Event, Memory, Verdict, judge, step
from service.core.alerting.reading import readings
from service.core.alerting.rule import AlertRule
from service.core.estimate import Clusters, estimate, responses
from service.core.rates import Bucket, Counts
from workers.bench.alarms_results import MINUTE
from workers.bench.alarms_windows import Windows

START = datetime(2026, 1, 1, tzinfo=UTC)
Judged = Callable[[int, int], Verdict]  # of a group, at a minute
Span = tuple[int, int]  # the first and the last minute at which an unbroken row of bad readings, long enough, may begin


def verdict_of(rule: AlertRule, n: int, k: int, clusters: Clusters | None = None) -> Verdict:
    """What the rule says of a window with n scored samples, k of them flagged."""
    counts = dict.fromkeys(Counts.__slots__, 0) | {"submitted": n, "scored": n}
    bucket = Bucket(
        start=START - rule.window,
        end=START,
        group={},
        fingerprint="",
        flagged=estimate([responses(1.0, n, k)], rule.confidence, clusters),
        hallucination=None,
        counts=Counts(**counts),
        bound_low=None,
        bound_high=None,
    )
    (reading,) = readings(rule, [bucket]).values()
    return judge(rule, reading)


class Judge:
    """One rule's verdicts, each made once."""

    def __init__(self, rule: AlertRule) -> None:
        self._of = cache(lambda n, k: verdict_of(rule, n, k))
        # With any number of samples enough, verdicts turn bad at one count of flagged ones and stay so.
        eager = rule.model_copy(update={"min_effective_n": 1.0})
        self._least_bad = cache(lambda n: _least_bad(eager, n))
        self._rule = rule

    def of(self, seen: Windows) -> Judged:
        """The verdict of each group and minute."""
        if seen.sessions:
            return cache(
                lambda g, at: verdict_of(self._rule, int(seen.n[g, at]), int(seen.k[g, at]), seen.clusters(g, at))
            )
        return lambda g, at: self._of(int(seen.n[g, at]), int(seen.k[g, at]))

    def maybe_bad(self, seen: Windows) -> Any:
        """Of each group and minute whether it may be bad: it is not where independent samples would not be.

        A group that is without a sample at any minute may always be: not to know opens incidents too.
        """
        least = int(seen.n.min())
        limits = np.array([self._least_bad(n) for n in range(least, int(seen.n.max()) + 1)])
        return (seen.k >= limits[seen.n - least]) | (seen.n == 0).any(axis=1, keepdims=True)


def _least_bad(rule: AlertRule, n: int) -> int:
    """The least number of flagged of n that is bad; n + 1: none is."""
    return bisect_left(range(n + 1), x=True, key=lambda k: verdict_of(rule, n, k) is Verdict.BAD)


def spans(maybe_bad: Any, wait: int) -> Iterator[tuple[int, Span]]:
    """Each group's spans in order: where more than `wait` minutes on end may be bad."""
    groups, minutes = maybe_bad.shape
    held = np.zeros((groups, minutes + 1), dtype=bool)  # a minute between the groups
    held[:, :minutes] = maybe_bad
    edges = np.flatnonzero(np.diff(held.ravel(), prepend=False))
    first, end = edges[::2], edges[1::2]
    for begin, length in zip(first, end - first, strict=True):
        if length > wait:
            group, at = divmod(int(begin), minutes + 1)
            yield group, (at, at + int(length) - wait - 1)


def firings(rule: AlertRule, judged: Callable[[int], Verdict], held: Sequence[Span], minutes: int) -> Iterator[int]:
    """At which minutes one group fires: from each span on every minute is judged until nothing is pending or open."""
    at = 0
    for first, last in held:
        at = max(at, first)
        memory = Memory(since=START)
        while at < minutes and (at <= last or not _idle(memory)):
            taken = step(rule, memory, judged(at), START + at * MINUTE)
            memory = taken.memory
            if taken.event is Event.FIRING:
                yield at
            at += 1


def _idle(memory: Memory) -> bool:
    return memory.opened is None and memory.bad_since is None and memory.missing_since is None
