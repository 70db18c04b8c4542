"""The softmax: logits into probabilities, the one place where that is done."""

import math
from collections.abc import Sequence

from models.types import NotFiniteError


def softmax(logits: Sequence[float]) -> tuple[float, ...]:
    """Probabilities in 0..1 that sum to 1, in the order of `logits`; stable for logits of any finite size.

    Raises NotFiniteError for NaN or infinity, which are the model's failure and not a certainty.
    """
    if not all(math.isfinite(logit) for logit in logits):
        raise NotFiniteError(f"the model answered {list(logits)}")
    greatest = max(logits)
    weights = [math.exp(logit - greatest) for logit in logits]
    total = sum(weights)
    return tuple(weight / total for weight in weights)
