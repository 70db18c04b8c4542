"""A golden run as it was sent becomes one that can be stored, or an error that names the field and the fix."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from service.core.config import Settings
from service.core.errors import GoldenSetUnknownError, PayloadInvalidError, StartRefusedError
from service.core.golden.item import GoldenItem, questions
from service.core.golden.record import AnswerRecord, AnswerState, TargetKind
from service.core.golden.run_schemas import MAX_ANSWERS, GivenSent, GoldenRunSent, ResponseSent
from service.core.golden.sets import shipped_set

PENDING = AnswerRecord(state=AnswerState.PENDING)
Redact = Callable[[str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedRun:
    """What is to be run."""

    items: Sequence[GoldenItem]
    answers: Sequence[tuple[int, int, AnswerRecord]]  # position of the item, repeat, pending or failed
    quarantined: Sequence[str]


def check_run(sent: GoldenRunSent, settings: Settings, today: date, redact: Redact) -> CheckedRun:
    """Checks what a schema cannot.

    Args:
        sent: the run.
        settings: hold the limits of texts.
        today: decides what of a shipped set is in quarantine.
        redact: gives an application's response as it may be stored.

    Raises PayloadInvalidError, or GoldenSetUnknownError where the items of a set are asked for that does not come along.
    """
    all_items, quarantined = _items_of(sent, today)
    if sent.items is not None:
        _check_items(all_items, settings)
    items = _fit(sent.target, all_items)
    if len(items) * sent.repeats > MAX_ANSWERS:
        _refuse(f"{len(items)} items times {sent.repeats} is over the limit of {MAX_ANSWERS} answers.", "repeats")
    if sent.target is TargetKind.SCORER:
        if sent.answers is not None:
            _refuse("Answers are of an application; of a scorer the items' own responses are scored.", "answers")
        answers = [(position, repeat, PENDING) for position in range(len(items)) for repeat in range(sent.repeats)]
    else:
        answers = list(_answers(sent, all_items, items, settings, redact))
    return CheckedRun(items=items, answers=answers, quarantined=quarantined)


def _items_of(sent: GoldenRunSent, today: date) -> tuple[Sequence[GoldenItem], list[str]]:
    if sent.items is not None:
        return sent.items, sorted(set(sent.quarantined or ()))
    try:
        golden = shipped_set(sent.set)
    except GoldenSetUnknownError as error:
        raise GoldenSetUnknownError(error.detail, field="set") from None
    except StartRefusedError:
        raise GoldenSetUnknownError("This set does not lie here.", field="set") from None
    own = golden.quarantine_on(today)
    return golden.items, sorted(own if sent.quarantined is None else set(sent.quarantined))


def _fit(kind: TargetKind, items: Sequence[GoldenItem]) -> Sequence[GoldenItem]:
    """The items that can test this kind of target; as `assay golden run` does it."""
    if kind is TargetKind.APPLICATION:
        found, lacking = questions(items), "no item has a question"
    else:
        found = [item for item in items if item.response is not None and item.hallucinated is not None]
        lacking = "no item has a response with a label (`hallucinated`)"
    if not found:
        _refuse(f"The set cannot test this target: {lacking}.", "items")
    return found


def _check_items(items: Sequence[GoldenItem], settings: Settings) -> None:
    first: dict[str, int] = {}
    for number, item in enumerate(items):
        if first.setdefault(item.id, number) != number:
            _refuse(f"This id is that of items.{first[item.id]} too. Give each its own.", f"items.{number}.id")
        _check_texts(item, f"items.{number}", settings)


def _check_texts(item: GoldenItem, place: str, settings: Settings) -> None:
    for name in ("question", "response"):
        length = len(getattr(item, name) or "")
        _check(length, settings.max_response_chars, f"{place}.{name}", "ASSAY_MAX_RESPONSE_CHARS")
    _check(len(item.contexts), settings.max_contexts, f"{place}.contexts", "ASSAY_MAX_CONTEXTS")
    for number, context in enumerate(item.contexts):
        length = len(context.text)
        _check(length, settings.max_context_chars, f"{place}.contexts.{number}.text", "ASSAY_MAX_CONTEXT_CHARS")
    total = sum(len(context.text) for context in item.contexts)
    _check(total, settings.max_total_context_chars, f"{place}.contexts", "ASSAY_MAX_TOTAL_CONTEXT_CHARS")


def _answers(
    sent: GoldenRunSent,
    all_items: Sequence[GoldenItem],
    items: Sequence[GoldenItem],
    settings: Settings,
    redact: Redact,
) -> Iterator[tuple[int, int, AnswerRecord]]:
    if sent.answers is None:
        _refuse("Give the application's answers: workers call nobody.", "answers")
    positions = {item.id: position for position, item in enumerate(items)}
    known = {item.id for item in all_items}
    for number, given in enumerate(sent.answers):
        place = f"answers.{number}"
        if given.item not in positions:
            _refuse(_why_not(given.item, known), f"{place}.item")
        if len(given.responses) != sent.repeats:
            _refuse(f"Give {sent.repeats} responses, one for each repeat.", f"{place}.responses")
        _check_lengths(given, place, settings)
    counts = Counter(given.item for given in sent.answers)
    for name in positions:
        if counts[name] != 1:
            _refuse(f"The item {name!r} has {counts[name]} entries here; give one.", "answers")
    for given in sent.answers:
        for repeat, response in enumerate(given.responses):
            yield positions[given.item], repeat, _answer(response, redact)


def _why_not(name: str, known: set[str]) -> str:
    if name in known:
        return f"The item {name!r} has no question, or asks the same as an item before it: answer that one alone."
    return f"The set has no item {name!r}."


def _check_lengths(given: GivenSent, place: str, settings: Settings) -> None:
    for repeat, response in enumerate(given.responses):
        length = len(response.text or "")
        _check(length, settings.max_response_chars, f"{place}.responses.{repeat}", "ASSAY_MAX_RESPONSE_CHARS")


def _answer(sent: ResponseSent, redact: Redact) -> AnswerRecord:
    if sent.text is None:
        return AnswerRecord(state=AnswerState.FAILED, reason=sent.failed, seconds=sent.seconds)
    return AnswerRecord(state=AnswerState.PENDING, response=redact(sent.text), seconds=sent.seconds)


def _check(length: int, limit: int, field: str, setting: str) -> None:
    if length > limit:
        _refuse(f"{length} is over the limit of {limit}. Send less, or raise {setting}.", field)


def _refuse(message: str, field: str) -> NoReturn:
    raise PayloadInvalidError(message, field=field)
