"""The baselines: what no model, and the model over the whole document at once, make of the same rows."""

import re
from collections.abc import Sequence

from models.load import Model
from models.tokens import pack
from models.training.rows import Row
from models.types import Probability
from workers.bench.detection_results import Share

_WORD = re.compile(r"\w+")
_LONGEST = 512  # tokens of a pair


def overlap_scores(rows: Sequence[Row]) -> list[float]:
    """1 less the share of the response's words that some context has."""
    return [_missing(row) for row in rows]


def whole_scores(rows: Sequence[Row], model: Model) -> list[float]:
    """1 less the entailment of the whole response by the first context, cut to what one pair can hold."""
    return [1 - answer.entailment for answer in _read(rows, model)]


def right_classes(rows: Sequence[Row], model: Model) -> Share:
    """Rows of an NLI set whose label is the likeliest of the three classes, the pair read as one."""
    answers = _read(rows, model)
    return Share(
        part=sum(_likeliest(answer) == row.label for answer, row in zip(answers, rows, strict=True)), whole=len(rows)
    )


def _likeliest(answer: Probability) -> str:
    classes = {
        "entailment": answer.entailment,
        "neutral": answer.neutral or 0.0,
        "contradiction": answer.contradiction or 0.0,
    }
    return max(classes, key=lambda name: classes[name])


def _read(rows: Sequence[Row], model: Model) -> list[Probability]:
    pairs = []
    for row in rows:
        claim = model.encoder.encode(row.item.response).ids[: _LONGEST // 2]
        room = min(_LONGEST, model.max_length) - model.encoder.specials - len(claim)
        window = model.encoder.encode(row.item.contexts[0].text).ids[:room]
        pairs.append(model.encoder.join(pack(window), pack(claim)))
    return list(model.backend.predict(pairs, lambda: None))


def _missing(row: Row) -> float:
    said = {word.lower() for word in _WORD.findall(row.item.response)}
    given = {word.lower() for context in row.item.contexts for word in _WORD.findall(context.text)}
    return len(said - given) / max(1, len(said))
