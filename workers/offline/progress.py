"""What a person sees while a run goes on: a bar on a terminal, or explanations, or nothing."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from workers.offline.answer import ErrorAnswer, RowAnswer
from workers.offline.explain import explain
from workers.offline.shape import Row

MAX_EXPLAINED = 100


def rows_per_s(task: Task) -> float | None:
    """Rows a second since this run began, without those of an earlier run; None until it is known.

    Rich's own speed looks at the moments at which rows come out, which is many at once.
    """
    rows = task.completed - task.fields.get("kept", 0)
    return rows / task.elapsed if rows > 0 and task.elapsed else None


class RateColumn(ProgressColumn):
    """Rows a second."""

    def render(self, task: Task) -> Text:
        """Empty until it is known."""
        speed = rows_per_s(task)
        return Text(f"{speed:,.1f} rows/s" if speed else "")


class LeftColumn(ProgressColumn):
    """The time that the rest takes at this rate."""

    def render(self, task: Task) -> Text:
        """Empty until it is known."""
        speed, left = rows_per_s(task), task.remaining
        return Text(f"{timedelta(seconds=round(left / speed))} left" if speed and left is not None else "")


class Bar:
    """A bar with rows, rate and remaining time; silent where standard error is no terminal."""

    def __init__(self, console: Console) -> None:
        """Shows nothing yet."""
        columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), RateColumn(), LeftColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._progress.add_task("scoring", total=None)

    def started(self, rows: int | None, kept: int) -> None:
        """Shows the bar."""
        self._progress.reset(self._task, total=rows, completed=kept, kept=kept)

    def scored(self, row: Row, answer: RowAnswer | ErrorAnswer) -> None:
        """Moves it by one row."""
        del row, answer
        self._progress.advance(self._task)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class Explainer:
    """Prints rows as they come out, in place of a bar; at most a hundred, since a person reads them."""

    def __init__(self, console: Console) -> None:
        """Prints nothing yet."""
        self._console = console
        self._explained = 0

    def started(self, rows: int | None, kept: int) -> None:
        """Says what it leaves out."""
        del rows
        if kept:
            self._console.print(f"{kept:,} rows were scored by an earlier run; they are not explained again.")

    def scored(self, row: Row, answer: RowAnswer | ErrorAnswer) -> None:
        """Prints one row."""
        self._explained += 1
        if self._explained <= MAX_EXPLAINED:
            self._console.print(explain(row, answer))
        elif self._explained == MAX_EXPLAINED + 1:
            self._console.print(f"More than {MAX_EXPLAINED} rows: the rest is not explained here.")


@contextlib.contextmanager
def watching(console: Console, explained_to: Console | None) -> Iterator["Bar | Explainer"]:
    """The bar on `console`, or explanations where they are asked for."""
    if explained_to is not None:
        yield Explainer(explained_to)
        return
    with Bar(console) as bar:
        yield bar
