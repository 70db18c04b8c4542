"""A Python function as the target of a golden run, how many are asked at a time, and what becomes of those that fail."""

import asyncio
import importlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.fake import FakeScorer
from service.core.errors import StartRefusedError
from service.core.golden.record import AnswerState, RunRecord, TargetKind
from service.core.golden.sets import GoldenSet
from tests.unit.workers.golden_support import GOOD, POLICY, item
from workers.golden.asking import Answered, Unit, ask_all
from workers.golden.running import Plan, run
from workers.golden.target import FunctionApplication, NoAnswerError, kind_of, load_function

Answering = Callable[[str, list[str]], Any]


class Quiet:
    """Watches a run and keeps what it was told."""

    def __init__(self) -> None:
        self.answers = self.kept = self.seen = 0

    def started(self, answers: int, kept: int) -> None:
        self.answers, self.kept = answers, kept

    def answered(self) -> None:
        self.seen += 1


def of(function: Answering, timeout_s: float = 5.0) -> FunctionApplication:
    return FunctionApplication(name="bot:answer", function=function, timeout_s=timeout_s)


def ask(function: Answering, timeout_s: float = 5.0) -> str:
    return of(function, timeout_s).answer(item())


def reason(function: Answering, timeout_s: float = 5.0) -> str:
    with pytest.raises(NoAnswerError) as raised:
        ask(function, timeout_s)
    return str(raised.value)


def raising(error: BaseException) -> Answering:
    def answer(_question: str, _contexts: list[str]) -> str:
        raise error

    return answer


def raising_async(error: BaseException) -> Answering:
    async def answer(_question: str, _contexts: list[str]) -> str:
        raise error

    return answer


def test_what_is_tested() -> None:
    """`scorer` alone means the scorer."""
    assert (kind_of("scorer"), kind_of("http://x"), kind_of("a:b")) == (
        TargetKind.SCORER,
        TargetKind.APPLICATION,
        TargetKind.APPLICATION,
    )


def test_it_gets_question_and_texts() -> None:
    """The question, and the contexts as a list of texts; an item without a question an empty one."""
    assert ask(lambda question, contexts: f"{question} {contexts}") == f"Can I return a kettle, asks a? {[POLICY]}"
    assert of(lambda question, _contexts: repr(question)).answer(item(question=None)) == "''"


@pytest.mark.parametrize("name", ["response", "answer", "output", "actual_output"])
def test_what_it_may_give(name: str) -> None:
    """Text, or an object with text, from a plain function or a coroutine function."""

    async def later(question: str, contexts: list[str]) -> Any:
        await asyncio.sleep(0)
        return {name: "Yes.", "tokens": 3}

    assert (ask(lambda _q, _c: "Yes."), ask(lambda _q, _c: {name: "Yes."}), ask(later)) == ("Yes.", "Yes.", "Yes.")


@pytest.mark.parametrize("given", [None, 3, b"Yes.", ["Yes."], {"result": "Yes."}, {"response": None}, {}])
def test_what_is_no_response(given: Any) -> None:
    """Nothing is guessed, and nothing turned into text."""
    assert reason(lambda _q, _c: given) == "no_response_in_answer"


@pytest.mark.parametrize("make", [raising, raising_async])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("the key is sk-1"), "raised_ValueError"),
        (TimeoutError(), "raised_TimeoutError"),
        (SystemExit(1), "raised_SystemExit"),
        (KeyboardInterrupt(), "raised_KeyboardInterrupt"),
    ],
)
def test_what_it_raises(make: Callable[[BaseException], Answering], error: BaseException, told: str) -> None:
    """The class's name is the reason, at once, and nothing of its words; one that exits ends this answer alone."""
    assert reason(make(error)) == told


@pytest.mark.timed
def test_one_that_hangs() -> None:
    """It is left alone after the time that it has, in a thread or in the event loop, and the next is asked."""
    held = threading.Event()
    ended = threading.Event()

    async def later(question: str, contexts: list[str]) -> str:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return "late"

    began = time.monotonic()
    assert reason(lambda _q, _c: str(held.wait(60)), 0.05) == "timed_out"
    application = of(later, 0.05)
    with pytest.raises(NoAnswerError, match="timed_out"):
        application.answer(item())
    assert ended.wait(5)  # a coroutine is cancelled
    assert time.monotonic() - began < 5
    held.set()


def test_coroutines_share_a_loop() -> None:
    """A client that a function keeps is bound to the loop of its first call: all calls have the same one."""

    async def which(question: str, contexts: list[str]) -> str:
        return str(id(asyncio.get_running_loop()))

    application = of(which)
    units = [Unit(item=item(str(number)), repeat=0) for number in range(8)]
    assert len({each.response for group in ask_all(application, units, 4) for each in group}) == 1


def asked(function: Answering, count: int, parallel: int) -> list[Answered]:
    units = [Unit(item=item(str(number)), repeat=0) for number in range(count)]
    found = [each for group in ask_all(of(function), units, parallel) for each in group]
    assert sorted(each.unit.item.id for each in found) == sorted(unit.item.id for unit in units)
    return found


def test_so_many_are_asked_at_a_time() -> None:
    """As many as were asked for, and never more."""
    barrier, lock = threading.Barrier(4, timeout=5), threading.Lock()
    now = most = 0

    def answer(question: str, contexts: list[str]) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        barrier.wait()  # broken after 5 seconds unless four are here
        with lock:
            now -= 1
        return "Yes."

    assert [each.failed for each in asked(answer, 12, 4)] == [None] * 12
    assert most == 4
    assert len(asked(lambda _q, _c: "Yes.", 2, 256)) == 2


def test_what_no_file_takes() -> None:
    """U+0000 and half of an emoji become U+FFFD or `?`: the run's file and every database can hold the answer."""
    (found,) = asked(lambda _q, _c: "a\0b\ud83d", 1, 1)
    assert found.response == "a\ufffdb?"
    assert [each.failed for each in asked(raising(ValueError()), 1, 1)] == ["raised_ValueError"]


def test_a_failure_is_never_a_score(tmp_path: Path) -> None:
    """A failing item is `failed` with its reason, whatever the others are; the file has what the run returns."""

    def answer(question: str, contexts: list[str]) -> Any:
        if "asks b" in question:
            raise OSError
        return GOOD if "asks a" in question else {}

    plan = Plan(
        golden=GoldenSet(name="kettles", items=tuple(item(name) for name in "abc"), folder=None, floors={}),
        application=of(answer),
        repeats=2,
        release="r1",
        git_commit="",
        parallel=2,
        out=tmp_path / "deep" / "run.json",
        restart=False,
    )
    watcher = Quiet()
    record = run(plan, FakeScorer(), watcher)
    assert [[(a.state, a.reason, a.score, a.flagged) for a in each.answers] for each in record.items] == [
        [(AnswerState.SCORED, None, 0.0, False)] * 2,
        [(AnswerState.FAILED, "raised_OSError", None, None)] * 2,
        [(AnswerState.FAILED, "no_response_in_answer", None, None)] * 2,
    ]
    assert all(answer.seconds is not None for each in record.items for answer in each.answers)
    assert (watcher.answers, watcher.kept, watcher.seen) == (6, 0, 6)
    assert RunRecord.model_validate_json(plan.out.read_bytes()) == record
    assert [path.name for path in plan.out.parent.iterdir()] == ["run.json"]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes a module into the working directory and gives its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text: str) -> str:
        name = f"bot_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return name

    return write


def test_a_function_by_its_name(module: Callable[[str], str]) -> None:
    """Found in the working directory; also one that belongs to something else."""
    name = module(
        "class Bot:\n"
        "    def answer(self, question, contexts): return 'Yes.'\n"
        "    async def later(self, question, contexts): return 'Later.'\n"
        "bot = Bot()\n"
    )
    found = load_function(f"{name}:bot.answer", 1.0)
    assert (found.name, found.options, found.timeout_s) == (
        f"{name}:bot.answer",
        {"function": f"{name}:bot.answer"},
        1.0,
    )
    assert (found.answer(item()), load_function(f"{name}:bot.later", 1.0).answer(item())) == ("Yes.", "Later.")


@pytest.mark.parametrize(
    ("text", "target", "told"),
    [
        ("", "{}:answer", "cannot be loaded: AttributeError"),
        ("", "no_such_module_at_all:answer", "cannot be loaded: ModuleNotFoundError"),
        ("", ":answer", "cannot be loaded: ValueError"),
        ("", "{}:", "cannot be loaded: AttributeError"),
        ("1 / 0", "{}:answer", "cannot be loaded: ZeroDivisionError"),
        ("def (", "{}:answer", "cannot be loaded: SyntaxError"),
        ("raise SystemExit(0)", "{}:answer", "cannot be loaded: SystemExit"),
        ("answer = 'Yes.'", "{}:answer", "is no function"),
    ],
)
def test_a_function_that_is_refused(module: Callable[[str], str], text: str, target: str, told: str) -> None:
    """Whatever is wrong is a sentence before anything is asked; a module that exits does not end the command."""
    with pytest.raises(StartRefusedError, match=told):
        load_function(target.format(module(text)), 1.0)
