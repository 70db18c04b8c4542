"""The cores: which processors of this machine a process may keep busy, and how they fall into groups.

All is read below one root, so that a machine can be described by files.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

ROOT = Path("/")
Core = tuple[int, ...]  # its processors: two or more where it runs several threads at once


@dataclass(frozen=True, kw_only=True, slots=True)
class CoreGroup:
    """Cores for one process."""

    threads: int  # one for each core
    processors: frozenset[int] | None  # of these cores; None: wherever the kernel runs it


def physical_cores(root: Path = ROOT, allowed: Iterable[int] | None = None) -> tuple[Core, ...]:
    """The physical cores that this process may keep busy, at least one; fewer under a container's limit.

    A second thread on a core that computes matrices all the time adds nothing. `allowed` processors, if not those of
    this process.
    """
    cores = _cores(root, allowed)
    return cores[: _limited(root, len(cores))]


def core_groups(largest: int, root: Path = ROOT, allowed: Iterable[int] | None = None) -> tuple[CoreGroup, ...]:
    """The same cores in few groups of at most `largest`, as even as can be; cores that share a cache come together.

    A limit of time says how many cores may be busy, not which: its groups have no processors of their own, since all
    containers of a machine would choose the same.
    """
    cores = _cores(root, allowed)
    threads = _limited(root, len(cores))
    if threads < len(cores):
        return tuple(CoreGroup(threads=size, processors=None) for size in _sizes(threads, largest))
    return tuple(
        CoreGroup(threads=len(group), processors=frozenset(processor for core in group for processor in core))
        for group in _by_cache(cores, largest, root)
    )


def _cores(root: Path, allowed: Iterable[int] | None) -> tuple[Core, ...]:
    if allowed is None:
        allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    found: dict[str, list[int]] = {}
    for processor in sorted(allowed):
        siblings = _read(root / f"sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
        found.setdefault(siblings or str(processor), []).append(processor)
    return tuple(map(tuple, found.values()))


def _by_cache(cores: Sequence[Core], largest: int, root: Path) -> Iterator[list[Core]]:
    """Whole caches together while they fit, a larger one in parts: a machine may tell of a cache for each core."""
    shared: dict[str, list[Core]] = {}
    for core in cores:
        cache = _read(root / f"sys/devices/system/cpu/cpu{core[0]}/cache/index3/shared_cpu_list")
        shared.setdefault(cache, []).append(core)
    left = len(cores)
    group: list[Core] = []
    for held in shared.values():
        following = iter(held)
        for size in _sizes(len(held), largest):
            if group and (len(group) >= _sizes(left, largest)[-1] or len(group) + size > largest):
                yield group
                left -= len(group)
                group = []
            group.extend(islice(following, size))
    yield group


def _sizes(count: int, largest: int) -> list[int]:
    """As few parts of at most `largest` as `count` goes into, the last the largest, none more than one larger."""
    parts = -(-count // largest)
    return [count * (part + 1) // parts - count * part // parts for part in range(parts)]


def _limited(root: Path, most: int) -> int:
    """Whole cores of `most` that the limits of this process's control groups leave, at least one."""
    return max(1, min([most, *map(int, _limits(root))]))


def _limits(root: Path) -> Iterator[float]:
    """Processors' worth of time: of each control group that this process is in, and of those around it."""
    for folder in _control_groups(root):
        allowed, _, period = _read(folder / "cpu.max").partition(" ")  # version 2, in one file
        if not allowed:
            allowed, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if allowed.isdigit() and period.isdigit() and int(period):  # `max` and -1 are none
            yield int(allowed) / int(period)


def _control_groups(root: Path) -> Iterator[Path]:
    # A container sees its own group as the top; the path told for it may be the machine's, and is then not there.
    mounts = root / "sys/fs/cgroup"
    yield from (mounts, mounts / "cpu")
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        parts = PurePosixPath(path).parts[1:]
        if ".." in parts or (controllers and "cpu" not in controllers.split(",")):
            continue
        for mount in (mounts / controllers, mounts / "cpu") if controllers else (mounts,):
            yield from (mount.joinpath(*parts[:depth]) for depth in range(len(parts) + 1))


def _read(file: Path) -> str:
    """The file's text; empty where there is none."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
