"""The long text: a quotation at the end of a long context, a made-up sentence at the end of a long response."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from models.calibrate import BALANCED
from models.training.rows import Row
from models.types import Item, Outcome, Scored
from workers.bench.corpus import sentences_of
from workers.bench.robustness_results import LastSentence, Quoted
from workers.bench.shifts import checked, score_of
from workers.bench.transformations import PARAGRAPH, SPACE, with_contexts
from workers.bench.trials import Trial

QUOTED = {"after a blank line": PARAGRAPH, "after a space": SPACE}
ELSEWHERE, LABELLED = "elsewhere", "labelled"
POOL = 500  # passages that a long response may be copied from


@dataclass(frozen=True, kw_only=True, slots=True)
class LongTexts:
    """How long, and how many of each set."""

    context_words: int
    quotations: int
    response_words: int
    responses: int  # of each kind


def measure_quoted(trial: Trial, plan: LongTexts) -> tuple[Quoted, ...]:
    """Responses quoted at the end of a long irrelevant context."""
    long_text = trial.corpus.long_text(trial.name, plan.context_words, trial.corpus.draw(trial.name, "quoted"))
    rows = [row for row, _ in trial.base[: plan.quotations]]
    return tuple(_quote(trial, name, long_text + mark, rows) for name, mark in QUOTED.items())


def _quote(trial: Trial, name: str, before: str, rows: Sequence[Row]) -> Quoted:
    outcomes = trial.score([with_contexts(row.item, [before + row.item.response]) for row in rows])
    claims = [claim for outcome in outcomes for claim in checked(outcome)]
    supported = [claim for claim in claims if score_of(claim) < BALANCED]
    return Quoted(
        name=name,
        claims=len(claims),
        supported=len(supported),
        passed=sum(score_of(claim) < trial.strict for claim in claims),
        cited=sum(claim.evidence is not None and claim.evidence.end > len(before) for claim in supported),
        missing=sum(not isinstance(outcome, Scored) for outcome in outcomes),
    )


def measure_last(trial: Trial, plan: LongTexts) -> tuple[LastSentence, ...]:
    """Made-up sentences at the end of long responses, their own contexts left out, and among the others."""
    rows = trial.corpus.last_sentences(trial.name, trial.corpus.draw(trial.name, "last"))[: plan.responses]
    kinds = {
        ELSEWHERE: [with_contexts(row.item, []) for row in rows],
        LABELLED: [row.item for row in rows],
    }
    return tuple(_measure_last(trial, kind, items, plan.response_words) for kind, items in kinds.items())


def _measure_last(trial: Trial, kind: str, items: Sequence[Item], words: int) -> LastSentence:
    draw = trial.corpus.draw(trial.name, "long response", kind)
    long_items = [_lengthen(trial, item, words, draw) for item in items]
    outcomes = trial.score(long_items)
    alone = trial.score([replace(item, response=last.response) for item, last in zip(long_items, items, strict=True)])
    last, copied, as_alone = list[float](), list[float](), 0
    for outcome, single in zip(outcomes, alone, strict=True):
        scores = _scores(outcome)
        if scores:
            last.append(scores[-1])
            copied.extend(scores[:-1])
            as_alone += _scores(single) == scores[-1:]
    return LastSentence(
        name=kind,
        responses=len(last),
        balanced=sum(score >= BALANCED for score in last),
        strict=sum(score >= trial.strict for score in last),
        as_alone=as_alone,
        copied=len(copied),
        copied_doubted=sum(score >= BALANCED for score in copied),
        copied_flagged=sum(score >= trial.strict for score in copied),
        missing=len(items) - len(last),
    )


def _lengthen(trial: Trial, item: Item, words: int, draw: Random) -> Item:
    """The item with passages of other sets as further contexts, and their sentences before its own."""
    texts, copied, total = [context.text for context in item.contexts], list[str](), 0
    for passage in trial.corpus.irrelevant(trial.name, POOL, draw):
        if total >= words:
            break
        sentences = sentences_of(passage)
        if sentences:
            texts.append(passage)
            copied.extend(sentences)
            total += sum(len(sentence.split()) for sentence in sentences)
    return replace(with_contexts(item, draw.sample(texts, len(texts))), response=SPACE.join([*copied, item.response]))


def _scores(outcome: Outcome) -> list[float]:
    return [score_of(claim) for claim in checked(outcome)]
