"""What can be wrong with one item by itself: spans that are not what they quote, labels that contradict their claims. Pure."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from models.types import Verdict
from service.core.golden.item import GoldenClaim, GoldenItem
from workers.golden.linting_finding import Finding, error, warning

WRONG = frozenset({Verdict.CONTRADICTED, Verdict.UNSUPPORTED})


def lint_item(item: GoldenItem) -> Iterator[Finding]:
    """Findings of one item."""
    yield from _contexts(item)
    yield from _label(item)
    for place, claim in enumerate(item.claims):
        yield from _claim(item, claim, f"claims.{place}")
    yield from _overlaps(item)


def _contexts(item: GoldenItem) -> Iterator[Finding]:
    for name, number in Counter(context.id for context in item.contexts).items():
        if number > 1:
            yield error(item.id, "contexts", f"{number} contexts have the id {name!r}: evidence in it means either.")
    for place, context in enumerate(item.contexts):
        if not context.text.strip():
            yield warning(item.id, f"contexts.{place}", "The context has no text.")


def _label(item: GoldenItem) -> Iterator[Finding]:
    if item.response is None and item.hallucinated is not None:
        yield error(item.id, "hallucinated", "There is a label but no response that it is of.")
    if item.response is not None and not item.response.strip():
        yield warning(item.id, "response", "The response is empty: there is nothing to check in it.")
    wrong = [claim for claim in item.claims if claim.verdict in WRONG]
    if item.hallucinated is None and item.claims:
        yield warning(
            item.id,
            "hallucinated",
            "Its claims have verdicts, but the item has no label: a scorer's run leaves it out.",
        )
    elif item.hallucinated and item.claims and not wrong:
        yield error(item.id, "hallucinated", "The label is hallucinated, but no claim is contradicted or unsupported.")
    elif item.hallucinated is False and wrong:
        yield error(item.id, "hallucinated", f"The label is not hallucinated, but a claim is {wrong[0].verdict}.")


def _claim(item: GoldenItem, claim: GoldenClaim, place: str) -> Iterator[Finding]:
    response = item.response or ""
    if not claim.start < claim.end <= len(response):
        yield error(item.id, place, f"The span {claim.start} to {claim.end} does not lie in the response.")
    elif claim.text != response[claim.start : claim.end]:
        yield error(
            item.id,
            place,
            f"The text is not what the response has at {claim.start} to {claim.end}.{_moved(claim.text, response)}",
        )
    if claim.verdict is Verdict.CONTRADICTED and not claim.evidence:
        yield error(item.id, place, "The claim is contradicted, but no evidence says where.")
    contexts = {context.id: context.text for context in item.contexts}
    for number, evidence in enumerate(claim.evidence):
        field = f"{place}.evidence.{number}"
        text = contexts.get(evidence.context_id)
        if text is None:
            yield error(item.id, field, f"There is no context {evidence.context_id!r}.")
        elif not evidence.start < evidence.end <= len(text):
            yield error(item.id, field, f"The span {evidence.start} to {evidence.end} does not lie in that context.")
        elif evidence.text != text[evidence.start : evidence.end]:
            yield error(
                item.id,
                field,
                f"The text is not what that context has at {evidence.start} to {evidence.end}.{_moved(evidence.text, text)}",
            )


def _moved(quoted: str, text: str) -> str:
    """Where the quoted text does stand, if at one place alone."""
    if not quoted or text.count(quoted) != 1:
        return ""
    start = text.index(quoted)
    return f" It stands at {start} to {start + len(quoted)}."


def _overlaps(item: GoldenItem) -> Iterator[Finding]:
    placed = sorted(enumerate(item.claims), key=lambda held: (held[1].start, held[1].end))
    for (first, before), (second, after) in pairwise(placed):
        if after.start < before.end:
            yield error(item.id, f"claims.{second}", f"The claim overlaps claims.{first}.")
