"""The label: what each output of a classification head says of a claim."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from models.softmax import softmax
from models.types import ModelError, Probability


class Meaning(StrEnum):
    """What one output stands for."""

    ENTAILMENT = "entailment"  # the window supports the claim
    NEUTRAL = "neutral"  # the window neither supports nor contradicts it
    CONTRADICTION = "contradiction"  # the window contradicts it
    NOT_ENTAILMENT = "not_entailment"  # one of the last two; the head does not tell which


# Names that published models give their labels; case, spaces, hyphens and underscores do not matter.
_NAMES = {
    Meaning.ENTAILMENT: "entailment entailed entails supported supports support consistent factual faithful grounded "
    "factuallyconsistent nothallucinated nothallucination",
    Meaning.NEUTRAL: "neutral notenoughinfo notenoughinformation nei",
    Meaning.CONTRADICTION: "contradiction contradicted contradicts contradictory refuted refutes",
    Meaning.NOT_ENTAILMENT: "notentailment notentailed nonentailment unsupported notsupported hallucinated "
    "hallucination inconsistent notconsistent factuallyinconsistent nonfactual notfactual unfactual unfaithful "
    "ungrounded notgrounded",
}
_MEANINGS = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}

_NLI = frozenset({Meaning.ENTAILMENT, Meaning.NEUTRAL, Meaning.CONTRADICTION})
_HEADS = (
    _NLI,
    *(frozenset({Meaning.ENTAILMENT, rest}) for rest in Meaning if rest is not Meaning.ENTAILMENT),
    frozenset({Meaning.ENTAILMENT}),
    frozenset({Meaning.NOT_ENTAILMENT}),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The outputs of a head, in order: three or two classes, or the log odds of one.

    What a head does not tell stays None: two labels know no difference between neutral and contradiction, unless one of
    them is named so.
    """

    meanings: tuple[Meaning, ...]

    def probability(self, logits: Sequence[float]) -> Probability:
        """The probabilities behind one row of logits. Raises NotFiniteError, and ModelError for a row of other size."""
        if len(logits) != len(self.meanings):
            raise ModelError(f"the model answered {len(logits)} numbers a pair, its labels are {len(self.meanings)}")
        if len(logits) == 1:
            # The sigmoid, as the softmax against a logit of 0.
            chance = softmax((logits[0], 0.0))
            said = self.meanings[0] is Meaning.ENTAILMENT
            return Probability(entailment=chance[0] if said else chance[1], neutral=None, contradiction=None)
        chances = dict(zip(self.meanings, softmax(logits), strict=True))
        return Probability(
            entailment=chances[Meaning.ENTAILMENT],
            neutral=chances.get(Meaning.NEUTRAL),
            contradiction=chances.get(Meaning.CONTRADICTION),
        )


def head_of(names: Sequence[str]) -> Head:
    """The head whose labels have these names, in order. Raises ModelError that says how to name them."""
    known = [meaning for meaning in map(_meaning, names) if meaning is not None]
    if len(known) < len(names) or len(set(known)) < len(known) or frozenset(known) not in _HEADS:
        raise ModelError(
            f"the model's labels are {', '.join(names) or 'none'}, which does not say what each means: set "
            f"ASSAY_NLI_LABELS to their meanings in this order, {_example(len(names))}"
        )
    return Head(meanings=tuple(known))


def read_names(config: Path) -> tuple[str, ...]:
    """The names of the labels, in order, by the model's own `config.json`. Raises ModelError when it has none."""
    try:
        read = json.loads(config.read_text(encoding="utf-8"))
        # Two labels without names is what the format stands for when it says nothing.
        named = read.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
        positions = sorted((int(position), str(name)) for position, name in named.items())
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{config} must be a model's configuration with its labels in id2label ({error})") from error
    return tuple(name for _, name in positions)


def _meaning(name: str) -> Meaning | None:
    return _MEANINGS.get(re.sub(r"[\s_-]", "", name).lower())


def _example(labels: int) -> str:
    examples = {
        1: "'entailment' if a high number means supported, 'not_entailment' if it means hallucinated",
        2: "such as 'entailment,not_entailment'",
        3: "such as 'entailment,neutral,contradiction'",
    }
    return examples.get(labels, f"but a head of {labels} labels cannot be used: one, two or three can")
