"""Golden runs over HTTP: an application asked the questions of a set, and what Assay says of its answers."""

import asyncio
import inspect
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

Answering = Callable[[str, list[str]], Any]
DEFAULT_TIMEOUT_S = 600.0  # of a whole run, from the first question to the last score
REQUEST_S = 60.0
FIRST_REST_S, LONGEST_REST_S = 0.1, 2.0
NO_BASELINE = "none"
FINISHED = "finished"


class GoldenError(Exception):
    """Nothing can be said of the target: Assay is away, refuses, or does not answer in time. Its text says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where Assay is, and the key that it wants."""

    url: str
    api_key: str | None = field(default=None, repr=False)

    def request(self, method: str, path: str, document: Any = None) -> Any:
        """One request and its JSON answer. Raises GoldenError; its `status` is that of a refusal."""
        headers = {} if self.api_key is None else {"authorization": f"Bearer {self.api_key}"}
        try:
            with httpx.Client(trust_env=False, timeout=REQUEST_S) as client:
                answer = client.request(method, self.url.rstrip("/") + path, json=document, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GoldenError(
                f"Assay at {self._shown} cannot be reached ({type(error).__name__}). Start it (`assay up`), give its URL by "
                "ASSAY_URL, or have it started: pytest --assay-start."
            ) from None
        if not answer.is_success:
            raise RefusedError(answer.status_code, _problem(answer))
        try:
            return answer.json()
        except ValueError:
            raise GoldenError(f"What answers at {self._shown} is no Assay.") from None

    @property
    def _shown(self) -> str:
        """Without what it holds of credentials."""
        try:
            return str(httpx.URL(self.url).copy_with(userinfo=b"", query=None))
        except (httpx.InvalidURL, TypeError):
            return "this URL"


class RefusedError(GoldenError):
    """Assay answered with an error."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


def _problem(answer: httpx.Response) -> str:
    try:
        document = answer.json()
        parts = [document["detail"], document.get("next_step") or ""]
        field_name = document.get("field")
        return " ".join(part for part in ([f"{field_name}:"] if field_name else []) + parts if part)
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"Assay answered with status {answer.status_code}."


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What an application is asked."""

    id: str  # of the item
    question: str
    contexts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenRun:
    """A run that is scored."""

    place: Place
    document: Mapping[str, Any]  # the answer of GET /golden-runs/{id}, with its record

    @property
    def id(self) -> str:
        """What later runs name as their baseline."""
        return str(self.document["id"])

    def against(self, baseline: str, margin: float | None) -> Mapping[str, Any]:
        """The run beside another; `margin` as a share. Raises GoldenError."""
        more = "" if margin is None else f"&margin={margin!r}"
        path = f"/golden-runs/{quote(self.id, safe='')}?record=true&baseline={quote(baseline, safe='')}{more}"
        found: Mapping[str, Any] = self.place.request("GET", path)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Golden:
    """A golden set, and where Assay is."""

    place: Place
    name: str
    items: Sequence[Mapping[str, Any]] = field(repr=False)
    shipped: bool  # Assay has the items

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

        An answer that raises is `failed`, a state that is never counted as good. Raises GoldenError.
        """
        deadline = time.monotonic() + timeout
        asked = [question for question in self.questions for _ in range(repeats)]
        with ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="golden") as threads:
            responses = list(threads.map(lambda question: _response(answer, question), asked))
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
            named["items"] = list(self.items)
        return run(
            self.place, {**sent, **{name: value for name, value in named.items() if value is not None}}, deadline
        )


def run(place: Place, sent: Mapping[str, Any], deadline: float) -> GoldenRun:
    """Sends a run and waits until all of it is scored. Raises GoldenError."""
    accepted = place.request("POST", "/golden-runs", sent)
    path = f"/golden-runs/{quote(accepted['id'], safe='')}"
    rest_s = FIRST_REST_S
    while True:
        document = place.request("GET", path)
        if document["state"] == FINISHED:
            return GoldenRun(place=place, document=place.request("GET", f"{path}?record=true&baseline={NO_BASELINE}"))
        if time.monotonic() > deadline:
            pending = document["answers"].get("pending", 0)
            raise GoldenError(
                f"{pending} answers of the golden run {accepted['id']} are not scored in time. Is a worker running (`assay "
                "doctor`)? Give a longer timeout, or wait and read the run."
            )
        time.sleep(min(rest_s, max(0.0, deadline - time.monotonic()) + FIRST_REST_S))
        rest_s = min(LONGEST_REST_S, rest_s * 1.5)


def read_golden(place: Place, name: str, folder: Path) -> Golden:
    """The set at that path, from `folder` on, or the one of that name that comes with Assay. Raises GoldenError."""
    path = folder / name
    if path.is_dir():
        return Golden(place=place, name=path.name, items=list(_lines(path / "items.jsonl")), shipped=False)
    if path.is_file():
        return Golden(place=place, name=path.stem, items=list(_lines(path)), shipped=False)
    found = place.request("GET", f"/golden-sets/{quote(name, safe='')}")
    return Golden(place=place, name=name, items=found["items"], shipped=True)


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenError(f"{path} cannot be read: {error}.") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                item = json.loads(line)
            except ValueError:
                item = None
            if not isinstance(item, dict) or "id" not in item:
                raise GoldenError(
                    f"{path}, line {number}: not a JSON object with an id. `assay golden lint` says more."
                )
            yield item


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
    return {"text": text.encode("utf-8", "replace").decode().replace("\0", "\ufffd"), "seconds": seconds}


async def _awaited(given: Awaitable[Any]) -> Any:
    return await given


def _name(answer: Answering) -> str:
    module, name = getattr(answer, "__module__", ""), getattr(answer, "__qualname__", type(answer).__name__)
    return f"{module}:{name}"[-100:].replace("\0", "")
