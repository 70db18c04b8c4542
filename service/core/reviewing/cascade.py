"""The cascade: which samples are judged, with which probability, and what their tenant's money allows. Pure.

The first scorer sees every sample. The judge sees those whose first score is uncertain, and a random share of the others:
every sample has a known probability of being judged, so that estimates stay unbiased. Where money runs low all these
probabilities shrink together, down to a floor; where even that is too much, they are 0, and what they would have covered
is counted as uncovered.
"""

from dataclasses import dataclass

from models.types import NotApplicable, Outcome, Scored, UnscoredReason
from service.core.budget import lowered
from service.core.review_tables import Why
from service.core.reviewing.judge import Cascade

DAY_S = 86_400
# The bucket holds a quarter of a day's money: a busy hour may take more than its share, a quiet one saves for it.
CAPACITY_SHARE = 0.25
# From half full on nothing is lowered.
FULL_FROM = 0.5
# What the first scorer could not read a judge may be able to.
_UNREAD = frozenset({UnscoredReason.LANGUAGE, UnscoredReason.TOO_MANY_PAIRS, UnscoredReason.CLAIM_TOO_LONG})

# Tokens that a prompt takes beside the texts, and that a verdict on one claim takes: for estimates, which calls correct.
PROMPT_TOKENS, CLAIM_TOKENS, CHARS_PER_TOKEN = 600, 80, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """What a tenant has left of the money that flows in evenly over the day; in 1e-12 of the currency."""

    level: int  # below 0 where calls cost more than was expected
    capacity: int

    def filled(self, seconds: float) -> "Bucket":
        """The same after so many seconds."""
        flowed = int(self.capacity / CAPACITY_SHARE * max(0.0, seconds) / DAY_S)
        return Bucket(level=min(self.capacity, self.level + flowed), capacity=self.capacity)

    def less(self, cost: int) -> "Bucket":
        """The same after spending; a refund is a negative cost."""
        return Bucket(level=min(self.capacity, self.level - cost), capacity=self.capacity)

    def scale(self, cost: int) -> float:
        """The factor on every probability, 0 to 1, for a sample of this cost; 0 where it could not be paid."""
        if cost <= 0:
            return 1.0
        if self.level < cost:
            return 0.0
        return min(1.0, self.level / (FULL_FROM * self.capacity))


def full_bucket(limit_pico: int) -> Bucket:
    """That of a tenant with so much money a day, before its first sample."""
    capacity = int(limit_pico * CAPACITY_SHARE)
    return Bucket(level=capacity, capacity=capacity)


def wanted(outcome: Outcome, cascade: Cascade) -> tuple[float, Why] | None:
    """With which probability the policy wants an outcome of the first scorer judged, and why.

    None where nothing is to be judged: no claims, no context, or the text is beyond any model.
    """
    if isinstance(outcome, NotApplicable):
        return None
    if isinstance(outcome, Scored):
        low, high = cascade.band
        if not low <= outcome.score <= high:
            return cascade.floor, Why.FLOOR
        return cascade.band_rate, Why.BAND
    return (cascade.band_rate, Why.BAND) if outcome.reason in _UNREAD else None


def allowed(rate: float, scale: float, least: float) -> float:
    """The probability that money leaves of a wanted one; 0: not covered."""
    return lowered(rate, scale, min(least, rate))


def expected_tokens(chars: int, claims: int, votes: int, most_output: int) -> tuple[int, int]:
    """Tokens in and out that judging is taken to need.

    Args:
        chars: of question, contexts and response.
        claims: that are checked.
        votes: replies.
        most_output: tokens of one reply.
    """
    read = PROMPT_TOKENS + chars // CHARS_PER_TOKEN + claims * CLAIM_TOKENS // 2
    return votes * read, votes * min(most_output, CLAIM_TOKENS * max(1, claims))
