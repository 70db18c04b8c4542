"""Scoring rows together, so that one that makes the scorer raise harms no other."""

from collections.abc import Sequence

from models.types import Alternative, Assessed, Context, Item, Scorer, Unscored, UnscoredReason
from service.core.log import log, where
from service.core.reviewing.judge import Consistency
from service.core.schemas import Submission
from service.core.submitted import context_ids


def score_together(scorer: Scorer, submissions: Sequence[Submission]) -> list[Assessed]:
    """What is made of each submission, in order.

    Where the call fails, each is scored alone, and those that fail again are `unscored(failed_alone)`.
    """
    return score_items(scorer, [item_of(submission) for submission in submissions])


def score_items(scorer: Scorer, items: Sequence[Item]) -> list[Assessed]:
    """What is made of each item, in order; likewise."""
    if not items:
        return []
    try:
        return scorer.assess(items, _go_on)
    except Exception as error:  # noqa: BLE001 - the rows' boundary: each is tried again alone
        log.warning("score_failed", error=where(error), rows=len(items))
    return [_alone(scorer, item) for item in items]


def _alone(scorer: Scorer, item: Item) -> Assessed:
    try:
        return scorer.assess([item], _go_on)[0]
    except Exception as error:  # noqa: BLE001 - the row's boundary: its failure is its outcome
        log.error("score_failed", error=where(error), alone=True)
        failed = Unscored(reason=UnscoredReason.FAILED_ALONE)
        return Assessed(outcome=failed, consistency=failed if item.samples else None)


def _go_on() -> None:
    """Between batches there is nothing to do: Ctrl-C needs no asking."""


def item_of(submission: Submission) -> Item:
    """The submission as scorers take it."""
    names = context_ids(submission)
    contexts = tuple(Context(id=n, text=c.text) for n, c in zip(names, submission.contexts, strict=True))
    samples = tuple(Alternative(text=text) for text in submission.samples[: Consistency().most])
    return Item(response=submission.response, contexts=contexts, question=submission.question, samples=samples)
