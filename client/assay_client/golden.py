"""A golden set: an application asked its questions, or the scorer of an Assay tested on its responses."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field
from typing import Any

from assay_client.golden_run import GoldenError, GoldenRun, Place, run
from assay_client.submission import sendable

Answering = Callable[[str, list[str]], Any]
DEFAULT_TIMEOUT_S = 600.0  # of a whole run, from the first question to the last score


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What an application is asked."""

    id: str  # of the item
    question: str
    contexts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Golden:
    """A golden set, and where Assay is."""

    place: Place
    name: str
    items: Sequence[Mapping[str, Any]] = field(repr=False)
    shipped: bool  # Assay has the items
    quarantined: Sequence[str] = ()  # ids of items that count for nothing today; of a shipped set Assay knows them

    @property
    def questions(self) -> list[Question]:
        """Each question with its contexts once: the two versions of a minimal pair ask the same."""
        found: dict[tuple[str, tuple[str, ...]], Question] = {}
        for item in self.items:
            question = item.get("question")
            if question is not None:
                contexts = tuple(context["text"] for context in item.get("contexts", ()))
                found.setdefault((question, contexts), Question(id=item["id"], question=question, contexts=contexts))
        return list(found.values())

    def ask(  # noqa: PLR0913 - what a run may be told
        self,
        answer: Answering,
        *,
        repeats: int = 3,
        parallel: int = 4,
        run_id: str | None = None,
        release: str | None = None,
        git_commit: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> GoldenRun:
        """Asks an application every question, and has Assay score its answers.

        Args:
            answer: called with (question, contexts), gives the answer's text; a coroutine function will do.
            repeats: how often each question is asked.
            parallel: questions asked at a time.
            run_id: a name for later runs to be held against; the same name cannot be used twice.
            release: of the application.
            git_commit: of the application.
            timeout: seconds until the last answer is scored.

        An answer that raises is `failed`, a state that is never counted as good. Raises GoldenError; what the application
        has begun by then is not interrupted.
        """
        deadline = time.monotonic() + timeout
        self.place.request("GET", "/golden-runs?limit=1")  # an Assay that is away is known before anybody is asked
        asked = [question for question in self.questions for _ in range(repeats)]
        responses = _responses(answer, asked, parallel, deadline)
        answers = [
            {"item": question.id, "responses": responses[at * repeats : (at + 1) * repeats]}
            for at, question in enumerate(self.questions)
        ]
        sent = {"target": "application", "name": _name(answer), "answers": answers, "repeats": repeats}
        return self._run(sent, run_id, release, git_commit, deadline)

    def score(
        self,
        *,
        run_id: str | None = None,
        release: str | None = None,
        git_commit: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> GoldenRun:
        """Tests the scorer of that Assay itself, on the set's labelled responses. Raises GoldenError."""
        return self._run({"target": "scorer"}, run_id, release, git_commit, time.monotonic() + timeout)

    def _run(
        self, sent: dict[str, Any], run_id: str | None, release: str | None, git_commit: str | None, deadline: float
    ) -> GoldenRun:
        named: dict[str, Any] = {"set": self.name, "id": run_id, "release": release, "git_commit": git_commit}
        if not self.shipped:
            named |= {"items": list(self.items), "quarantined": list(self.quarantined)}
        return run(
            self.place, {**sent, **{name: value for name, value in named.items() if value is not None}}, deadline
        )


def _responses(answer: Answering, asked: Sequence[Question], parallel: int, deadline: float) -> list[dict[str, Any]]:
    """What came of each question, in order. Raises GoldenError at the deadline."""
    threads = ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="golden")
    try:
        waiting = [threads.submit(_response, answer, question) for question in asked]
        return [each.result(max(0.0, deadline - time.monotonic())) for each in waiting]
    except LateError:
        late = sum(not each.done() for each in waiting)
        raise GoldenError(
            f"{late} of {len(asked)} questions are not answered in time. Give a longer timeout, or ask more at a time (parallel)."
        ) from None
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _response(answer: Answering, asked: Question) -> dict[str, Any]:
    """One answer, or why there is none; nothing of a text goes into the reason."""
    started = time.monotonic()
    try:
        given = answer(asked.question, list(asked.contexts))
        text = asyncio.run(_awaited(given)) if inspect.isawaitable(given) else given
    except Exception as error:  # noqa: BLE001 - whatever the user's own function raises is its answer
        return {"failed": f"raised_{type(error).__name__}"[:200], "seconds": time.monotonic() - started}
    seconds = time.monotonic() - started
    if not isinstance(text, str):
        return {"failed": f"gave_{type(text).__name__}"[:200], "seconds": seconds}
    return {"text": sendable(text), "seconds": seconds}


async def _awaited(given: Awaitable[Any]) -> Any:
    return await given


def _name(answer: Answering) -> str:
    module, name = getattr(answer, "__module__", ""), getattr(answer, "__qualname__", type(answer).__name__)
    return f"{module}:{name}"[-100:].replace("\0", "")
