"""The long text: a quotation at the end of a long context, a made-up sentence at the end of a long response."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    """Made-up sentences, each at the end of the same long response, without their own contexts and with them."""
    draw = trial.corpus.draw(trial.name, "last")
    rows = trial.corpus.last_sentences(trial.name, draw)[: plan.responses]
    long_item = _copy(trial.corpus.irrelevant(trial.name, POOL, draw), plan.response_words)
    kinds = {ELSEWHERE: [replace(row.item, contexts=()) for row in rows], LABELLED: [row.item for row in rows]}
    short = trial.score([row.item for row in rows])
    return tuple(
        _measure_last(trial, kind, list(zip(items, short, strict=True)), long_item) for kind, items in kinds.items()
    )


def _measure_last(trial: Trial, kind: str, rows: Sequence[tuple[Item, Outcome]], long_item: Item) -> LastSentence:
    """`rows` have what each sentence scores beside its own context only."""
    alone = [with_contexts(item, [*_texts(long_item), *_texts(item)]) for item, _ in rows]
    responses = [replace(item, response=long_item.response + SPACE + item.response) for item in alone]
    pairs = zip(trial.score(responses), trial.score(alone), strict=True)
    scores = [(_scores(outcome), _scores(single)) for outcome, single in pairs if isinstance(outcome, Scored)]
    short = [score for _, outcome in rows for score in _scores(outcome)]
    copied = scores[0][0][:-1] if scores else []
    return LastSentence(
        name=kind,
        responses=len(scores),
        balanced=sum(found[-1] >= BALANCED for found, _ in scores),
        strict=sum(found[-1] >= trial.strict for found, _ in scores),
        short_balanced=sum(score >= BALANCED for score in short),
        short_strict=sum(score >= trial.strict for score in short),
        as_alone=sum(found[-1:] == single for found, single in scores),
        copied=len(copied),
        copied_doubted=sum(score >= BALANCED for score in copied),
        copied_flagged=sum(score >= trial.strict for score in copied),
        missing=len(rows) - len(scores),
    )


def _copy(passages: Sequence[str], words: int) -> Item:
    """A response of that many words, copied sentence by sentence from the passages that are its contexts."""
    taken, copied, total = list[str](), list[str](), 0
    for passage in passages:
        sentences = sentences_of(passage)
        if total < words and sentences:
            taken.append(passage)
            copied.extend(sentences)
            total += sum(len(sentence.split()) for sentence in sentences)
    return with_contexts(Item(response=SPACE.join(copied), contexts=()), taken)


def _texts(item: Item) -> list[str]:
    return [context.text for context in item.contexts]


def _scores(outcome: Outcome) -> list[float]:
    return [score_of(claim) for claim in checked(outcome)]
