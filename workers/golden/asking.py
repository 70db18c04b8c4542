"""Asking: an application's answers to many items, several at a time, in whatever order they come."""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.core.golden.item import GoldenItem
from workers.golden.target import Application, NoAnswerError


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One answer of a run."""

    item: GoldenItem
    repeat: int  # from 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What an application gave."""

    unit: Unit
    response: str | None
    failed: str | None  # why there is none
    seconds: float  # that it took, with all attempts


def ask_all(application: Application, units: Sequence[Unit], parallel: int) -> Iterator[list[Answered]]:
    """All answers, in groups as they come. Threads end with the process: nobody waits for a call that hangs."""
    left: queue.SimpleQueue[Unit] = queue.SimpleQueue()
    found: queue.SimpleQueue[Answered] = queue.SimpleQueue()
    for unit in units:
        left.put(unit)

    def work() -> None:
        while True:
            try:
                unit = left.get_nowait()
            except queue.Empty:
                return
            found.put(_ask(application, unit))

    for number in range(min(parallel, len(units))):
        threading.Thread(target=work, name=f"ask-{number}", daemon=True).start()
    waiting = len(units)
    while waiting:
        group = [found.get()]
        while not found.empty():
            group.append(found.get())
        waiting -= len(group)
        yield group


def _ask(application: Application, unit: Unit) -> Answered:
    started = time.monotonic()
    response, failed = None, None
    try:
        response = _storable(application.answer(unit.item))
    except NoAnswerError as error:
        failed = str(error)
    except Exception as error:  # noqa: BLE001 - a thread that dies would leave the run waiting
        failed = f"raised_{type(error).__name__}"
    return Answered(unit=unit, response=response, failed=failed, seconds=time.monotonic() - started)


def _storable(text: str) -> str:
    """Without what no file or database takes: U+0000, and halves of surrogate pairs, as of a text cut within an emoji."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
