"""Scoring answers of a golden run in this process, many together."""

from collections.abc import Sequence

from models.types import Context, Item, NotApplicable, Outcome, Scored, Scorer, Unscored
from service.core.golden.item import GoldenItem
from service.core.golden.record import AnswerRecord, AnswerState, ItemRecord, RunRecord
from service.core.golden.runtime import runtime_of
from workers.offline.answer import claim_answer
from workers.offline.scoring import score_items


def score_answers(scorer: Scorer, pairs: Sequence[tuple[GoldenItem, str]]) -> list[AnswerRecord]:
    """What the scorer says of each (item, response), in order; `response` of the records is null."""
    return [answer_record(assessed.outcome) for assessed in score_items(scorer, [item_of(*pair) for pair in pairs])]


def item_of(item: GoldenItem, response: str) -> Item:
    """As scorers take it."""
    contexts = tuple(Context(id=context.id, text=context.text) for context in item.contexts)
    return Item(response=response, contexts=contexts, question=item.question)


def answer_record(outcome: Outcome) -> AnswerRecord:
    """The record of an outcome."""
    match outcome:
        case Scored():
            return AnswerRecord(
                state=AnswerState.SCORED,
                score=outcome.score,
                flagged=outcome.flagged,
                threshold=outcome.threshold,
                claims=tuple(claim_answer(claim) for claim in outcome.claims),
            )
        case NotApplicable():
            return AnswerRecord(state=AnswerState.NOT_APPLICABLE, reason=outcome.reason.value)
        case Unscored():
            return AnswerRecord(state=AnswerState.UNSCORED, reason=outcome.reason.value)


NOT_KEPT = "response_not_kept"  # by a database that was told to keep no texts


def scored_again(record: RunRecord, scorer: Scorer) -> RunRecord:
    """An application's run as this scorer sees it, here: the same responses, which a comparison needs one scorer for.

    What another scorer said of a response that was not kept counts for nothing: it becomes unknown. What this very one said
    on another processor, where some flags would differ, stays.
    """
    runtime = runtime_of(scorer.attributes)
    same = record.fingerprint == scorer.fingerprint
    if same and record.runtime in (None, runtime):
        return record
    places = [
        (place, number)
        for place, each in enumerate(record.items)
        for number, answer in enumerate(each.answers)
        if answer.response is not None
    ]
    given = [(record.items[p].item, record.items[p].answers[n].response or "") for p, n in places]
    found = dict(zip(places, score_answers(scorer, given), strict=True))
    items = tuple(
        ItemRecord(
            item=each.item,
            digest=each.digest,
            answers=tuple(
                answer if same and (place, number) not in found else _instead(answer, found.get((place, number)))
                for number, answer in enumerate(each.answers)
            ),
        )
        for place, each in enumerate(record.items)
    )
    return record.model_copy(
        update={"items": items, "fingerprint": scorer.fingerprint, "runtime": runtime if found else record.runtime}
    )


def _instead(before: AnswerRecord, now: AnswerRecord | None) -> AnswerRecord:
    if now is not None:
        return now.model_copy(update={"response": before.response, "seconds": before.seconds})
    if before.state in {AnswerState.PENDING, AnswerState.FAILED}:
        return before
    return AnswerRecord(state=AnswerState.UNSCORED, reason=NOT_KEPT, seconds=before.seconds)
