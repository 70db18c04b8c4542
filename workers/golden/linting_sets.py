"""What can be wrong with items together: the same case twice, labels that contradict, a label that the wording gives away. Pure."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from service.core.golden.item import GoldenItem, questions
from service.core.golden.power import FLAKES
from service.core.golden.record import TargetKind
from workers.golden.adding import content_key
from workers.golden.linting_finding import Finding, error, warning
from workers.golden.outlook import DEFAULT_REPEATS, outlook
from workers.offline.agreement import roc_auc

LEAST_SHARE = 0.2  # of the rarer label
LEAK_AUC = 0.75
LEAK_ITEMS = 20  # labelled ones, below which an AUC says nothing
SEVERAL = 2
GREAT_CHANGE = 0.3  # as a share of answers: what a set that is worth running sees
NAMED = 5  # items that a sentence names
_WORDS = re.compile(r"\w+")


def lint_together(items: Sequence[GoldenItem]) -> Iterator[Finding]:
    """Findings of a set's items beside each other."""
    for name, number in Counter(item.id for item in items).items():
        if number > 1:
            yield error(name, "id", f"{number} items have this id.")
    yield from _same(items)
    yield from _pairs(items)
    yield from _missing(items)
    yield from _balance(items)
    yield from _leak(items)
    yield from _size(items)


def _same(items: Sequence[GoldenItem]) -> Iterator[Finding]:
    """The same texts twice; of texts that differ in case, spaces or a last full stop less is said: code may mean it."""
    exact, alike = _grouped(items, content_key), _grouped(items, _normalised)
    for held in exact.values():
        for other in held[1:]:
            if other.hallucinated == held[0].hallucinated:
                yield error(other.id, "", f"The same question, contexts and response as {held[0].id}: it counts twice.")
            else:
                yield error(other.id, "hallucinated", f"The same texts as {held[0].id}, with another label.")
    for held in alike.values():
        for other in held[1:]:
            if content_key(other) != content_key(held[0]):
                label = "" if other.hallucinated == held[0].hallucinated else ", with another label"
                yield warning(
                    other.id,
                    "",
                    f"But for case, spaces, a full stop or the order of contexts the same as {held[0].id}{label}.",
                )


def _grouped(items: Sequence[GoldenItem], key: Callable[[GoldenItem], str]) -> Mapping[str, list[GoldenItem]]:
    found: dict[str, list[GoldenItem]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


def _normalised(item: GoldenItem) -> str:
    texts = [item.question or "", *sorted(context.text for context in item.contexts), item.response or ""]
    return "\0".join(" ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".") for text in texts)


def _pairs(items: Sequence[GoldenItem]) -> Iterator[Finding]:
    held: dict[str, list[GoldenItem]] = defaultdict(list)
    for item in items:
        if item.pair:
            held[item.pair].append(item)
    for name, both in held.items():
        if len(both) < SEVERAL:
            yield warning(both[0].id, "pair", f"The pair {name!r} has no other item.")
        elif len({item.hallucinated for item in both}) == 1:
            yield warning(both[0].id, "pair", f"All items of the pair {name!r} have the same label.")


def _missing(items: Sequence[GoldenItem]) -> Iterator[Finding]:
    unasked = [item.id for item in items if not (item.question or "").strip()]
    if unasked:
        yield warning("", "question", f"{_counted(unasked)} no question, and cannot be asked to an application.")
    bare = [item.id for item in items if not any(context.text.strip() for context in item.contexts)]
    if bare:
        yield warning("", "contexts", f"{_counted(bare)} no context with text: nothing can be checked against it.")


def _counted(names: Sequence[str]) -> str:
    told = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    return f"{len(names)} items ({told}) have" if len(names) > 1 else f"{told} has"


def _balance(items: Sequence[GoldenItem]) -> Iterator[Finding]:
    labels = [item.hallucinated for item in items if item.hallucinated is not None]
    if not labels:
        return
    wrong = sum(labels) / len(labels)
    if wrong in {0.0, 1.0}:
        word = "hallucinated" if wrong else "supported"
        yield warning(
            "",
            "hallucinated",
            f"All {len(labels)} labelled items are {word}: half of what a scorer does is not tested.",
        )
        return
    if min(wrong, 1 - wrong) < LEAST_SHARE:
        yield warning(
            "",
            "hallucinated",
            f"{wrong:.0%} of {len(labels)} labelled items are hallucinated: of the rarer kind little can be told.",
        )
    yield from _categories(items)


def _categories(items: Sequence[GoldenItem]) -> Iterator[Finding]:
    held: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        if item.hallucinated is not None:
            held[item.category].append(item.hallucinated)
    for name, labels in sorted(held.items()):
        if len(set(labels)) == 1:
            word = "hallucinated" if labels[0] else "supported"
            items_are = "item, and it is" if len(labels) == 1 else "items, and all are"
            called = f"The category {name!r}" if name else "What has no category"
            yield warning("", "category", f"{called} has {len(labels)} labelled {items_are} {word}.")


def _leak(items: Sequence[GoldenItem]) -> Iterator[Finding]:
    """Where the words of a response tell its label, a scorer that counts words passes, and the set tests nothing else."""
    told = [
        (overlap, item.hallucinated)
        for item in items
        if item.hallucinated is not None and (overlap := _overlap(item)) is not None
    ]
    if len(told) < LEAK_ITEMS:
        return
    auc = roc_auc([1 - overlap for overlap, _ in told], [int(label) for _, label in told])
    if auc is None or max(auc.value, 1 - auc.value) <= LEAK_AUC:
        return
    fewer = "fewer" if auc.value > 1 - auc.value else "more"
    yield warning(
        "",
        "hallucinated",
        f"The wording tells the label: hallucinated responses have {fewer} of their words in the contexts, AUC "
        f"{max(auc.value, 1 - auc.value):.2f} over {len(told)} items; 0.5 would tell nothing.",
    )


def _overlap(item: GoldenItem) -> float | None:
    """The share of the response's words that a context has; None without words."""
    words = _WORDS.findall((item.response or "").casefold())
    known = {word for context in item.contexts for word in _WORDS.findall(context.text.casefold())}
    return sum(word in known for word in words) / len(words) if words else None


def _size(items: Sequence[GoldenItem]) -> Iterator[Finding]:
    labelled = [item for item in items if item.hallucinated is not None]
    if labelled:
        yield from _too_few(TargetKind.SCORER, labelled, "a scorer")
    asked = questions(items)
    if asked:
        yield from _too_few(
            TargetKind.APPLICATION, asked, f"an application, asked {DEFAULT_REPEATS[TargetKind.APPLICATION]} times"
        )


def _too_few(kind: TargetKind, items: Sequence[GoldenItem], who: str) -> Iterator[Finding]:
    """Where even a great change for the worse would be called so less often than in 80 of 100 runs."""
    found = outlook(kind, items, DEFAULT_REPEATS[kind], None, FLAKES[kind])
    if any(each.least is None or each.least > GREAT_CHANGE for each in found.endpoints):
        told = " ".join(found.sentences())
        yield warning("", "", f"Few items for {who}: {100 * GREAT_CHANGE:.0f} points more may be missed. {told}")
