"""What a rule's sliding window holds, minute by minute: simulated traffic of a known rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.estimate import Clusters
from workers.bench.alarms_results import CLUSTERED, INDEPENDENT, Scene
from workers.bench.worlds import CORRELATION, SESSION

PER_HOUR = 60  # minutes


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Sums over the window that ends with each minute; arrays of groups by minutes."""

    n: Any  # int64: scored samples
    k: Any  # int64: flagged
    sessions: Sequence[Any] = ()  # sums over sessions of K * K, K * M, M * M, and how many show a flag and the rest

    def clusters(self, group: int, at: int) -> Clusters | None:
        """The sums over clusters that the store would read."""
        if not self.sessions:
            return None
        kk, km, mm, some, rest = (float(each[group, at]) for each in self.sessions)
        return Clusters(kk=kk, km=km, mm=mm, some=some, rest=rest, single=mm == self.n[group, at])


def windows(scene: Scene, groups: int, rates: Any, width: int, random: np.random.Generator) -> Windows:
    """Of so many groups, with the true rate of each minute; the first window is whole after `width` minutes.

    Samples come as a Poisson process. Of independent ones, flagged and others are two such processes. Of sessions, all
    responses come in one minute and have the correlation and the size of `workers.bench.worlds`.
    """
    mean = scene.per_hour / PER_HOUR
    if scene.traffic == INDEPENDENT:
        flagged = random.poisson(mean * rates, (groups, len(rates)))
        rest = random.poisson(mean * (1 - rates), flagged.shape)
        return Windows(n=_sliding(flagged + rest, width), k=_sliding(flagged, width))
    n, k, *sessions = (_sliding(each, width) for each in _sessions(mean, groups, rates, random))
    return Windows(n=n, k=k, sessions=sessions if scene.traffic == CLUSTERED else ())


def _sessions(mean: float, groups: int, rates: Any, random: np.random.Generator) -> list[Any]:
    """Of each group and minute the sums over its sessions."""
    shape = (groups, len(rates))
    minute = np.repeat(np.arange(groups * len(rates)), random.poisson(mean / SESSION, shape).ravel())
    spread = (1 - CORRELATION) / CORRELATION
    rate = rates[minute % len(rates)]
    m = random.geometric(1 / SESSION, len(minute))
    k = random.binomial(m, random.beta(rate * spread, (1 - rate) * spread))
    sums = (m, k, k * k, k * m, m * m, k > 0, k < m)
    return [np.bincount(minute, each, groups * len(rates)).astype(np.int64).reshape(shape) for each in sums]


def _sliding(counts: Any, width: int) -> Any:
    total = np.cumsum(counts, axis=1)
    found = total[:, width - 1 :].copy()
    found[:, 1:] -= total[:, :-width]
    return found
