"""Which cores a process may keep busy, on machines described by files."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.backends.cores import core_groups, physical_cores
from tests.property.strategies import LAW

LARGEST = 8


@dataclass(frozen=True)
class Machine:
    """The files by which a kernel tells of its processors and of a process's control groups."""

    root: Path

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")

    def cores(self, cores: Iterable[Sequence[int]]) -> None:
        """Each core with its processors."""
        for core in cores:
            for processor in core:
                path = f"sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list"
                self.write(path, ",".join(map(str, core)))

    def caches(self, caches: Iterable[Iterable[int]]) -> None:
        """Each last-level cache with the processors that share it."""
        for cache in map(list, caches):
            for processor in cache:
                path = f"sys/devices/system/cpu/cpu{processor}/cache/index3/shared_cpu_list"
                self.write(path, ",".join(map(str, cache)))

    def busy(self, processors: int) -> int:
        """How many cores a process may keep busy that is allowed so many processors."""
        return len(physical_cores(self.root, range(processors)))

    def groups(self, processors: Iterable[int], largest: int = LARGEST) -> list[set[int]]:
        """The processors of each group."""
        return [set(group.processors or ()) for group in core_groups(largest, self.root, processors)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One that tells nothing yet."""
    return Machine(tmp_path)


def test_without_topology_each_processor_is_a_core(machine: Machine) -> None:
    """A system without /sys, as macOS: every processor counts, in one cache as far as anyone knows."""
    assert physical_cores(machine.root, range(3)) == ((0,), (1,), (2,))
    assert machine.groups(range(10)) == [set(range(5)), set(range(5, 10))]


def test_this_machine() -> None:
    """Here each processor that this process may run on belongs to one core; a limit may leave out some."""
    cores = physical_cores()
    found = [processor for core in cores for processor in core]
    assert len(found) == len(set(found)) > 0
    if hasattr(os, "sched_getaffinity"):
        assert set(found) <= os.sched_getaffinity(0)
    assert sum(group.threads for group in core_groups(1)) == len(cores)


def test_hyperthreads_are_one_core(machine: Machine) -> None:
    """Two processors of one core count once, also where their numbers lie apart."""
    machine.cores((core, core + 4) for core in range(4))
    assert physical_cores(machine.root, range(8)) == ((0, 4), (1, 5), (2, 6), (3, 7))


def test_only_what_is_allowed(machine: Machine) -> None:
    """A core counts if one of its processors is allowed; the other ones are never used."""
    machine.cores((core, core + 4) for core in range(4))
    assert physical_cores(machine.root, [1, 4, 5, 6]) == ((1, 5), (4,), (6,))
    assert machine.groups([1, 4, 5, 6], 2) == [{1, 5}, {4, 6}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("100000 50000", 2),
        ("9900000 100000", 8),
        ("max 100000", 8),
        ("", 8),
        ("100000 0", 8),
        ("nonsense", 8),
    ],
)
def test_limit_of_a_container(machine: Machine, text: str, expected: int) -> None:
    """Version 2, in a container: its own group is the top. Whole cores count, at least one; nonsense is no limit."""
    machine.write("proc/self/cgroup", "0::/")
    machine.write("sys/fs/cgroup/cpu.max", text)
    assert machine.busy(8) == expected


@pytest.mark.parametrize(("quota", "period", "expected"), [("300000", "100000", 3), ("-1", "100000", 8), ("1", "", 8)])
@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_limit_of_version_1(machine: Machine, mount: str, quota: str, period: str, expected: int) -> None:
    """In a container of version 1 the told path is the machine's and is not there; the top is the container's."""
    machine.write("proc/self/cgroup", f"12:memory:/docker/abc\n4:{mount}:/docker/abc\n0::/docker/abc")
    machine.write(f"sys/fs/cgroup/{mount}/cpu.cfs_quota_us", quota)
    machine.write(f"sys/fs/cgroup/{mount}/cpu.cfs_period_us", period)
    assert machine.busy(8) == expected


def test_limit_of_version_1_below_its_mount(machine: Machine) -> None:
    """A service without a container is in a group of its own."""
    machine.write("proc/self/cgroup", "4:cpu,cpuacct:/system.slice/assay.service\n1:cpuset:/other")
    machine.write("sys/fs/cgroup/cpu,cpuacct/system.slice/assay.service/cpu.cfs_quota_us", "200000")
    machine.write("sys/fs/cgroup/cpu,cpuacct/system.slice/assay.service/cpu.cfs_period_us", "100000")
    machine.write("sys/fs/cgroup/cpu,cpuacct/other/cpu.cfs_quota_us", "100000")
    machine.write("sys/fs/cgroup/cpu,cpuacct/other/cpu.cfs_period_us", "100000")
    assert machine.busy(8) == 2


def test_the_tightest_of_nested_limits_counts(machine: Machine) -> None:
    """The group itself may tell nothing and the top never does; what is between them holds all the same."""
    machine.write("proc/self/cgroup", "0::/user.slice/user-1.slice/session.scope")
    machine.write("sys/fs/cgroup/user.slice/user-1.slice/cpu.max", "300000 100000")
    machine.write("sys/fs/cgroup/user.slice/cpu.max", "400000 100000")
    machine.write("sys/fs/cgroup/another.slice/cpu.max", "100000 100000")
    assert machine.busy(8) == 3


def test_a_group_out_of_sight(machine: Machine) -> None:
    """A process that was moved out of its container's groups is told a path with `..`; only the top is looked at."""
    machine.write("proc/self/cgroup", "0::/../other")
    machine.write("sys/fs/other/cpu.max", "100000 100000")
    machine.write("sys/fs/cgroup/other/cpu.max", "100000 100000")
    assert machine.busy(8) == 8
    machine.write("sys/fs/cgroup/cpu.max", "200000 100000")
    assert machine.busy(8) == 2


def test_a_limit_above_the_cores_is_none(machine: Machine) -> None:
    """Time for 16 processors on four cores with two threads each: four."""
    machine.cores((core, core + 4) for core in range(4))
    machine.write("sys/fs/cgroup/cpu.max", "1600000 100000")
    assert machine.busy(8) == 4
    assert machine.groups(range(8), 2) == [{0, 1, 4, 5}, {2, 3, 6, 7}]


def test_a_limit_names_no_processors(machine: Machine) -> None:
    """Containers that share a machine must not all choose its first processors."""
    machine.write("sys/fs/cgroup/cpu.max", "1200000 100000")
    groups = core_groups(LARGEST, machine.root, range(64))
    assert [(group.threads, group.processors) for group in groups] == [(6, None), (6, None)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([2], [2]),
        ([8], [8]),
        ([9], [4, 5]),
        ([16], [8, 8]),
        ([32, 32], [8] * 8),
        ([12, 12], [6, 6, 6, 6]),
        ([4] * 16, [8] * 8),  # a processor of many small caches: whole ones together
        ([4, 4, 4], [8, 4]),
        ([3, 3, 3, 3], [6, 6]),
        ([5, 5, 5], [5, 5, 5]),
        ([1] * 2, [2]),  # a virtual machine that tells of a cache for each processor
        ([1] * 10, [5, 5]),
        ([6, 8], [6, 8]),
    ],
)
def test_groups_by_cache(machine: Machine, sizes: list[int], expected: list[int]) -> None:
    """A cache is torn apart only if it is too large for one group, and small ones come together."""
    edges = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    machine.caches(range(*pair) for pair in pairwise(edges))
    assert [len(group) for group in machine.groups(range(sum(sizes)))] == expected


def test_groups_of_a_machine_with_two_sockets(machine: Machine) -> None:
    """Processors are numbered by turns, with threads at the end: each group lies on one socket and has both threads."""
    machine.cores((core, core + 8) for core in range(8))
    machine.caches([[0, 2, 4, 6, 8, 10, 12, 14], [1, 3, 5, 7, 9, 11, 13, 15]])
    assert machine.groups(range(16), 4) == [{0, 2, 4, 6, 8, 10, 12, 14}, {1, 3, 5, 7, 9, 11, 13, 15}]
    assert [group.threads for group in core_groups(4, machine.root, range(16))] == [4, 4]


@LAW
@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.integers(1, 20))
def test_groups_are_all_cores_once(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], largest: int) -> None:
    """Whatever the caches, every core is in one group and none is too large."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    edges = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    machine.caches(range(*pair) for pair in pairwise(edges))
    groups = machine.groups(range(sum(sizes)), largest)
    assert sorted(processor for group in groups for processor in group) == list(range(sum(sizes)))
    assert max(map(len, groups)) <= largest
