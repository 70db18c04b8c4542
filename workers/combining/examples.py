"""Examples: labelled responses with what the scorers said of them, and which scorers can be fitted to them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from service.core.combination import Parts, ScorerName
from service.core.errors import StartRefusedError

LEAST = 30  # examples of each label; below it nothing is fitted
LEAST_GROUPS = 10  # sessions or documents that those of each label come from
LEAST_PRESENT = 30  # examples that a scorer spoke of; below it, it is left out
LEAST_ABSENT = 10  # examples without a scorer, from which the meaning of its absence is told
SCORERS: tuple[ScorerName, ...] = get_args(ScorerName)
HALF = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One labelled response."""

    parts: Parts
    y: float  # 0..1: the share of its annotators that call it hallucinated
    group: str  # its session, trace or document: examples of one group are of one fold
    weight: float = 1.0  # submissions that it stands for in figures and thresholds; the fit counts each once

    @property
    def bad(self) -> bool:
        """Whether most annotators call it hallucinated."""
        return self.y > HALF


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is fitted: whose fingerprints, whose absence, and what had to be left out."""

    fingerprints: dict[ScorerName, str]  # of the scorers in the fit
    absences: frozenset[ScorerName]  # those of them that are missing often enough to tell what that means
    present: dict[ScorerName, int]  # examples that each speaks of
    left_out: dict[ScorerName, str]  # scorers that are not in the fit, and why


def planned(examples: Sequence[Example]) -> tuple[Plan, list[Example]]:
    """The plan, and the examples that fit it. Raises StartRefusedError where there are too few, or nothing varies.

    Every scorer's values are of one fingerprint, as `of_one_fingerprint` makes them.
    """
    require_enough(examples)
    left_out: dict[ScorerName, str] = {}
    fingerprints: dict[ScorerName, str] = {}
    for scorer in SCORERS:
        spoken = [example for example in examples if example.parts.values(scorer) is not None]
        found = next((example.parts.fingerprint(scorer) for example in spoken), None)
        why = _useless(scorer, spoken)
        if why is None and found is not None:
            fingerprints[scorer] = found
        elif spoken:
            left_out[scorer] = why or "its fingerprint is not known"
    if "nli" not in fingerprints:
        raise StartRefusedError(
            f"Nothing can be fitted: of the NLI scorer {left_out.get('nli', 'there is no score')}.",
            next_step="Label responses that it scored differently.",
        )
    absent = {scorer: sum(example.parts.values(scorer) is None for example in examples) for scorer in fingerprints}
    absences = frozenset(scorer for scorer, number in absent.items() if number >= LEAST_ABSENT)
    kept = [
        example
        for example in examples
        if all(scorer in absences or example.parts.values(scorer) is not None for scorer in fingerprints)
        and any(example.parts.values(scorer) is not None for scorer in fingerprints)
    ]
    require_enough(kept)
    present = {scorer: sum(example.parts.values(scorer) is not None for example in kept) for scorer in fingerprints}
    return Plan(fingerprints=fingerprints, absences=absences, present=present, left_out=left_out), kept


def require_enough(examples: Sequence[Example]) -> None:
    """Raises StartRefusedError where there are too few of either label, or of too few groups."""
    bad = sum(example.bad for example in examples)
    if min(bad, len(examples) - bad) < LEAST:
        raise StartRefusedError(
            f"Too few labels to fit a score to: {bad} hallucinated and {len(examples) - bad} faithful ones "
            "that a scorer said something of.",
            next_step=f"Label on until there are {LEAST} of each; from some 10 of each for every coefficient on, the fit "
            "is steadier.",
        )
    for word, label in (("hallucinated", True), ("faithful", False)):
        groups = len({example.group for example in examples if example.bad is label})
        if groups < LEAST_GROUPS:
            raise StartRefusedError(
                f"The {word} ones are of {groups} sessions or documents.",
                next_step=f"Label responses of at least {LEAST_GROUPS}: what holds within one says little of others.",
            )


def of_one_fingerprint(examples: Sequence[Example], chosen: dict[ScorerName, str]) -> list[Example]:
    """The examples with only the values of these fingerprints; those of others are missing."""
    return [replace(example, parts=_only(example.parts, chosen)) for example in examples]


def _only(parts: Parts, chosen: dict[ScorerName, str]) -> Parts:
    if parts.judge_fingerprint != chosen.get("judge"):
        parts = replace(parts, judge=None, judge_fingerprint=None)
    if parts.consistency_fingerprint != chosen.get("consistency"):
        parts = replace(parts, selfcheck=None, entropy=None, consistency_fingerprint=None)
    if parts.nli_fingerprint != chosen.get("nli"):
        parts = replace(parts, nli=None, nli_fingerprint=None)
    return parts


def _useless(scorer: ScorerName, spoken: Sequence[Example]) -> str | None:
    """Why a scorer cannot be fitted; None where it can."""
    if len(spoken) < LEAST_PRESENT:
        return f"only {len(spoken)} of the labelled responses have a score, and it takes {LEAST_PRESENT}"
    if len({example.bad for example in spoken}) == 1:
        return "all that it scored have the same label"
    held = [example.parts.values(scorer) or {} for example in spoken]
    if all(values == held[0] for values in held):
        return "every score is the same"
    return None
