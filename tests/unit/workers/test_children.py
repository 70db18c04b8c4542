"""Children: when one is started again, and when the parent gives up."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from service.core.errors import StartRefusedError
from workers import children as children_module
from workers.children import SHORT_LIVES, Children
from workers.progress import EXIT_MISCONFIGURED, EXIT_REFUSED


@dataclass
class FakeProcess:
    """A process that has ended with a status, or still runs; `stubborn` ignores SIGTERM."""

    name: str
    status: int | None = None
    stubborn: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    processors: frozenset[int] | None = None
    signals: list[str] = field(default_factory=list)

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.signals.append("TERM")
        if not self.stubborn:
            self.status = -15

    def kill(self) -> None:
        self.signals.append("KILL")
        self.status = -9

    def wait(self, timeout: float | None = None) -> int:
        if self.status is None:
            raise subprocess.TimeoutExpired(self.name, timeout or 0.0)
        return self.status


@dataclass
class FakeChildren(Children):
    """Children that start fakes, and keep them in order."""

    started: list[FakeProcess] = field(default_factory=list)

    def _popen(
        self, command: Sequence[str], environment: Mapping[str, str], processors: frozenset[int] | None
    ) -> "subprocess.Popen[bytes]":
        self.started.append(FakeProcess(command[0], environment=environment, processors=processors))
        return self.started[-1]  # type: ignore[return-value]


@pytest.fixture
def children() -> FakeChildren:
    """Two children that run."""
    running = FakeChildren({})
    running.start("sidecar", ["serve"])
    running.start("worker", ["worker"])
    return running


def test_what_runs_is_left_alone(children: FakeChildren) -> None:
    """A child that runs is not started again."""
    children.restart_dead()
    assert [process.name for process in children.started] == ["serve", "worker"]


@pytest.mark.parametrize("status", [-9, 0, 1])
def test_dead_child_is_started_again(children: FakeChildren, status: int) -> None:
    """A child that was killed, failed or just ended comes back; the other is left alone."""
    children.started[0].status = status
    children.restart_dead()
    assert [process.name for process in children.started] == ["serve", "worker", "serve"]


@pytest.mark.parametrize("status", [EXIT_REFUSED, EXIT_MISCONFIGURED])
def test_child_that_was_refused_is_not_started_again(children: FakeChildren, status: int) -> None:
    """A child that has said why it cannot run ends the parent, by the child's name."""
    children.started[1].status = status
    with pytest.raises(StartRefusedError, match="worker does not stay up"):
        children.restart_dead()


def test_child_that_keeps_dying_at_once_ends_the_parent(children: FakeChildren) -> None:
    """Some short lives in a row mean something that no restart mends."""
    for _ in range(SHORT_LIVES - 1):
        children.started[-1].status = 1
        children.restart_dead()
    children.started[-1].status = 1
    with pytest.raises(StartRefusedError, match="status 1"):
        children.restart_dead()


def test_long_life_forgives_short_ones(children: FakeChildren, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that lived long before it died is not given up, however often it died before."""
    monkeypatch.setattr(children_module, "SHORT_LIFE_S", 0.0)
    for _ in range(3 * SHORT_LIVES):
        children.started[-1].status = 1
        children.restart_dead()
    assert len(children.started) == 2 + 3 * SHORT_LIVES


def test_stop_ends_all(children: FakeChildren) -> None:
    """A stop asks every child that runs to end."""
    children.stop()
    assert [process.signals for process in children.started] == [["TERM"], ["TERM"]]


def test_stop_kills_the_stubborn(children: FakeChildren) -> None:
    """A child that does not stop in time is killed, and the others still stop."""
    children.started[1].stubborn = True
    children.stop()
    assert [process.signals for process in children.started] == [["TERM"], ["TERM", "KILL"]]


def test_stop_leaves_the_dead_alone(children: FakeChildren) -> None:
    """A child that has ended gets no signal: its number may be another process's by now."""
    children.started[0].status = 0
    children.stop()
    assert children.started[0].signals == []


def test_a_child_keeps_what_is_its_own(children: FakeChildren) -> None:
    """Started again, it has the same variables and processors as before."""
    children.start("pinned", ["pinned"], environment={"A": "1"}, processors=frozenset({0}))
    children.started[-1].status = 1
    children.restart_dead()
    first, second = children.started[-2:]
    assert first is not second
    for process in (first, second):
        assert (process.name, process.environment, process.processors) == ("pinned", {"A": "1"}, frozenset({0}))


def test_stop_together_asks_all_before_it_waits(children: FakeChildren) -> None:
    """Children that need time to stop need it at the same time."""
    asked_first: list[int] = []

    @dataclass
    class Slow(FakeProcess):
        """Stops only while it is waited for, and then counts who was asked."""

        def wait(self, timeout: float | None = None) -> int:
            del timeout
            asked_first.append(sum(process.signals == ["TERM"] for process in children.started))
            self.status = 0
            return 0

    for child in children._children:
        slow = Slow(child.name, stubborn=True)
        child.process = slow  # type: ignore[assignment]
        children.started.append(slow)
    children.stop(together=True)
    assert asked_first == [2, 2]
