"""A write that the database does not take is tried again, until it does or a stop leaves no time."""

import os

import pytest

from service.core.errors import StoreUnavailableError
from workers import progress as progress_module
from workers.progress import Progress, StoppedError
from workers.storing import write_until_taken


def test_it_is_written_once_the_store_is_back() -> None:
    """What the write returns comes back, each failed attempt has told the parent that the worker lives."""
    reading, writing = os.pipe()
    answers = iter([StoreUnavailableError("gone"), StoreUnavailableError("gone"), 7])

    def write() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert write_until_taken(write, Progress(writing), "finish_failed", 3) == 7
    assert os.read(reading, 100) == b".."
    os.close(reading)
    os.close(writing)


def test_a_stop_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its grace a worker that is stopped tries no more."""
    monkeypatch.setattr(progress_module, "GRACE_S", -1.0)
    progress = Progress(None)
    progress.request_stop()
    tried: list[int] = []

    def write() -> None:
        tried.append(1)
        raise StoreUnavailableError("gone")

    with pytest.raises(StoppedError):
        write_until_taken(write, progress, "finish_failed", 3)
    assert tried == [1]


def test_another_error_is_not_tried_again() -> None:
    """A row that the database refuses would be refused for ever."""

    def write() -> None:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        write_until_taken(write, Progress(None), "finish_failed", 3)
