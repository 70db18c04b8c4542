"""Progress: beats to the parent, and how a stop is asked for."""

import os
import threading
from collections.abc import Iterator

import pytest

from workers import progress as progress_module
from workers.progress import Progress, StoppedError


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: its reading and its writing end."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop whose grace is over at once."""
    monkeypatch.setattr(progress_module, "GRACE_S", -1.0)


def test_beat_reaches_the_parent(pipe: tuple[int, int]) -> None:
    """Each beat is one byte down the pipe."""
    progress = Progress(pipe[1])
    progress.beat()
    progress.step()
    assert os.read(pipe[0], 100) == b".."


def test_full_pipe_does_not_block(pipe: tuple[int, int]) -> None:
    """A parent that does not read slows no worker, and is no reason to stop."""
    progress = Progress(pipe[1])
    for _ in range(70_000):  # more than a pipe holds
        progress.beat()
    assert not progress.stopping


def test_parent_that_is_gone_stops_the_worker(pipe: tuple[int, int]) -> None:
    """Without a reader the worker is an orphan and stops."""
    progress = Progress(pipe[1])
    os.close(pipe[0])
    progress.beat()
    assert progress.stopping


def test_without_a_parent_nothing_beats() -> None:
    """A worker without a parent runs on its own."""
    progress = Progress(None)
    progress.step()
    assert not progress.stopping


def test_within_the_grace_work_goes_on() -> None:
    """What is held when a stop is asked for may be finished."""
    progress = Progress(None)
    progress.request_stop()
    progress.step()
    assert progress.stopping


@pytest.mark.usefixtures("no_grace")
def test_after_the_grace_a_step_stops() -> None:
    """Once the grace is over the next step gives up what is held."""
    progress = Progress(None)
    progress.request_stop()
    with pytest.raises(StoppedError):
        progress.step()


def test_second_request_gives_no_second_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grace begins with the first request."""
    progress = Progress(None)
    monkeypatch.setattr(progress_module, "GRACE_S", -1.0)
    progress.request_stop()
    monkeypatch.setattr(progress_module, "GRACE_S", 60.0)
    progress.request_stop()
    with pytest.raises(StoppedError):
        progress.step()


def test_wait_ends_with_a_stop() -> None:
    """A wait says whether a stop ended it."""
    progress = Progress(None)
    before = progress.wait(0.001)
    progress.request_stop()
    assert (before, progress.wait(60.0)) == (False, True)


def test_beats_go_on_during_work_that_reports_none(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a large model is not taken for a stall; when it is done the beats end, whatever came of it."""
    monkeypatch.setattr(progress_module, "BEATING_S", 0.01)
    before = threading.active_count()

    def load() -> None:
        with Progress(pipe[1]).beating():
            assert os.read(pipe[0], 1) == b"."
            raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        load()
    assert threading.active_count() == before
