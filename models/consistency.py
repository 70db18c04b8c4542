"""Self-consistency: what a model's own alternative answers say of one of them. Pure arithmetic.

SelfCheck (Manakul, Liusie, Gales 2023, SelfCheckGPT, section 5.5): of each claim the mean, over alternative answers, of
the probability of contradiction against that of entailment alone. The paper averages over the claims of an answer; here,
as everywhere in Assay, an answer is as bad as its worst claim.

Semantic entropy (Kuhn, Gal, Farquhar 2023, Semantic Uncertainty, section 3; Farquhar et al. 2024, Nature 630): answers
that entail each other mean the same; the entropy of meanings tells how far a model knows what it says. Discrete, each
answer weighing the same, or weighed by length-normalised likelihoods where all are known.
"""

import math
from collections.abc import Sequence

from models.types import Probability

# Raise with any change to what is compared, read or computed: it is part of the fingerprint of self-consistency.
CONSISTENCY_VERSION = "2"

FLAGGED_FROM = 0.5  # more contradiction than entailment


def disagreement(windows: Sequence[Probability]) -> float:
    """How far an alternative answer speaks against a claim, 0..1: contradiction / (contradiction + entailment)."""
    decided = deciding(windows)
    against = contradiction(decided)
    both = against + decided.entailment
    return against / both if both > 0 else 0.5


def deciding(windows: Sequence[Probability]) -> Probability:
    """Of at least one window of an alternative answer that which decides what it says of a claim.

    The one that entails the claim most, if entailment is the likeliest class of any; else the one that contradicts it most.
    """
    entailing = [each for each in windows if entails(each)]
    return max(entailing, key=lambda each: each.entailment) if entailing else max(windows, key=contradiction)


def entails(answer: Probability) -> bool:
    """Whether entailment is the likeliest class."""
    return answer.entailment > max(answer.neutral or 0.0, contradiction(answer))


def contradicts(answer: Probability) -> bool:
    """Whether contradiction is the likeliest class; never for a model that cannot tell it from neutral."""
    against = answer.contradiction
    return against is not None and against > max(answer.entailment, answer.neutral or 0.0)


def contradiction(answer: Probability) -> float:
    """Of a model that cannot tell it from neutral, whatever is not entailment."""
    return 1 - answer.entailment if answer.contradiction is None else answer.contradiction


def semantic_entropy(clusters: Sequence[int], likelihoods: Sequence[float | None]) -> float:
    """The entropy of meanings over its greatest value, 0..1: 0 if all answers mean the same, 1 if no two do.

    Args:
        clusters: of each answer the number of its meaning, that of the judged response first.
        likelihoods: of the alternative answers: mean natural logarithm of their tokens' probabilities. Where all are
            known, and there are two or more, they weigh the alternatives, and the response, whose own is not known, is
            left out; else each answer weighs the same. One that is not finite is not known.
    """
    weights = [1.0] * len(clusters)
    counted = list(clusters)
    known = [each for each in likelihoods if each is not None and math.isfinite(each)]
    if len(known) == len(likelihoods) > 1:
        most = max(known)
        weights, counted = [math.exp(each - most) for each in known], counted[1:]
    if len(counted) < 2:  # noqa: PLR2004 - one answer has one meaning
        return 0.0
    total = sum(weights)
    shares = [
        sum(weight for weight, cluster in zip(weights, counted, strict=True) if cluster == meaning) / total
        for meaning in set(counted)
    ]
    if len(shares) == 1:
        return 0.0
    if len(shares) == len(counted) and len(set(weights)) == 1:
        return 1.0  # exactly, whatever logarithms round to
    entropy = -sum(share * math.log(share) for share in shares if share > 0)
    return min(1.0, entropy / math.log(len(counted)))
