"""Examples of the labels in the database. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.core.combination import Parts, ScorerName
from service.core.store.combining import LabelledSample, Value
from workers.combining.examples import Example, of_one_fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Examples, and the labelled responses that are none."""

    examples: Sequence[Example]
    picked: int  # that no draw chose: left out, or with the others
    other_scorer: int  # that the newest NLI scorer has not scored


def gather(labelled: Sequence[LabelledSample], *, with_picked: bool) -> Gathered:
    """The labelled samples as examples of the newest fingerprint of each scorer.

    A drawn one stands for 1 / (inclusion probability x label probability) submissions. With those that no draw chose among
    them, each stands for itself: nobody knows how they were chosen.
    """
    chosen = _newest(labelled)
    current = [sample for sample in labelled if sample.nli.fingerprint == chosen.get("nli")]
    drawn = [sample for sample in current if sample.said.label_probability is not None]
    used = current if with_picked else drawn
    examples = [_example(sample, weighted=not with_picked or len(drawn) == len(current)) for sample in used]
    return Gathered(
        examples=of_one_fingerprint(examples, chosen),
        picked=len(current) - len(drawn),
        other_scorer=len({sample.sample_seq for sample in labelled}) - len(current),
    )


def _newest(labelled: Sequence[LabelledSample]) -> dict[ScorerName, str]:
    of: dict[ScorerName, Callable[[LabelledSample], Value | None]] = {
        "nli": lambda sample: sample.nli,
        "judge": lambda sample: sample.judge,
        "consistency": lambda sample: sample.consistency,
    }
    found: dict[ScorerName, str] = {}
    for scorer, read in of.items():
        values = [value for sample in labelled if (value := read(sample)) is not None]
        if values:
            found[scorer] = max(values, key=lambda value: value.seq).fingerprint
    return found


def _example(sample: LabelledSample, *, weighted: bool) -> Example:
    judge, compared = sample.judge, sample.consistency
    return Example(
        parts=Parts(
            nli=sample.nli.score,
            nli_fingerprint=sample.nli.fingerprint,
            judge=judge.score if judge else None,
            judge_fingerprint=judge.fingerprint if judge else None,
            selfcheck=compared.score if compared else None,
            entropy=compared.entropy if compared else None,
            consistency_fingerprint=compared.fingerprint if compared else None,
        ),
        y=sample.said.y,
        group=sample.cluster,
        weight=1 / (sample.inclusion_probability * (sample.said.label_probability or 1.0)) if weighted else 1.0,
    )
