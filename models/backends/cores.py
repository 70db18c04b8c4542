"""The core: which processors of this machine a process may keep busy, one for each physical core."""

import os
from collections.abc import Sequence
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_QUOTAS = (Path("/sys/fs/cgroup/cpu.max"),)


def physical_cores() -> tuple[int, ...]:
    """One processor of each physical core that this process may run on, at least one; fewer under a container's quota.

    A second thread on a core that computes matrices all the time adds nothing.
    """
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    first: dict[str, int] = {}
    for processor in allowed:
        first.setdefault(_siblings(processor), processor)
    cores = tuple(first.values())
    return cores[: max(1, _quota(len(cores)))]


def core_groups(cores: Sequence[int], largest: int) -> list[tuple[int, ...]]:
    """The cores in groups of at most `largest`, as even as can be; cores that share a last-level cache come together."""
    by_cache: dict[str, list[int]] = {}
    for core in cores:
        by_cache.setdefault(_cache(core), []).append(core)
    groups: list[tuple[int, ...]] = []
    for shared in by_cache.values():
        parts = -(-len(shared) // largest)
        edges = [len(shared) * part // parts for part in range(parts + 1)]
        groups.extend(tuple(shared[edges[part] : edges[part + 1]]) for part in range(parts))
    return groups


def _siblings(processor: int) -> str:
    return _read(_TOPOLOGY / f"cpu{processor}/topology/thread_siblings_list") or str(processor)


def _cache(processor: int) -> str:
    return _read(_TOPOLOGY / f"cpu{processor}/cache/index3/shared_cpu_list")


def _quota(most: int) -> int:
    """Whole cores that the container's limit leaves; `most` without a limit."""
    for file in _QUOTAS:
        allowed, _, period = _read(file).partition(" ")
        if allowed.isdigit() and period.isdigit() and int(period):
            return min(most, int(allowed) // int(period))
    return most


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
