"""The sampling decision: a pure function of a submission and a policy."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from service.core.budget import lowered
from service.core.clock import EPOCH
from service.core.policy import Policy

DOMAIN = "assay.sampling.v1"  # a new rule of hashing gets a new version, so that old decisions stay explained
LABEL_DOMAIN = "assay.labels.v1"  # another one: who is drawn for labelling has nothing to do with who was sampled
BITS = 53  # what a double holds exactly


class Choice(StrEnum):
    """What was decided of a submission."""

    SAMPLED = "sampled"  # chosen by the hash
    FORCED = "forced"  # left out by the hash, scored because a caller waits; not in any rate
    SAMPLED_OUT = "sampled_out"  # not chosen
    REJECTED_OVERLOAD = "rejected_overload"  # chosen, but too many rows are pending


class Reason(StrEnum):
    """Why it was decided so."""

    HASH = "hash"  # the hash of its id, or of its trace's, against the rate
    BUDGET = "budget"  # the same, against a rate that the budget has lowered
    WAIT = "wait"  # the caller asked to wait for the score
    CLIENT = "client"  # the caller's process decided, under a policy that has changed since
    OVERLOAD = "overload"  # more pending rows than ASSAY_MAX_PENDING


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A decision with all that it takes to repeat it."""

    choice: Choice
    reason: Reason
    stratum: str
    inclusion_probability: float
    policy_version: str

    @property
    def in_rate(self) -> bool:
        """Whether a sample with this decision counts in rates."""
        return self.choice is Choice.SAMPLED


def position(unit: str, salt: str, domain: str = DOMAIN) -> float:
    """Where a unit lies in [0, 1): the first 53 bits of sha256 over the domain, the salt and the unit.

    A unit is in at a rate if its position is below it: in at 1% implies in at 5%, none at 0, all at 1.
    """
    digest = hashlib.sha256(f"{domain}\n{salt}\n{unit}".encode()).digest()
    return float((int.from_bytes(digest[:8], "big") >> (64 - BITS)) / 2**BITS)


def label_key(sample_id: str, tenant: str, salt: str, received_at: datetime) -> float:
    """The day of receipt since 1970, in UTC, plus the sample's position among those that may be drawn for labelling."""
    return (received_at - EPOCH).days + position(f"{tenant}\n{sample_id}", salt, LABEL_DOMAIN)


def decide(
    *,
    unit: str,
    fields: Mapping[str, str],
    policy: Policy,
    policy_version: str,
    forced: bool,
    scale: float = 1.0,
) -> Decision:
    """Decides a submission.

    Args:
        unit: what is hashed: its trace id if it has one, else its id; a trace is in or out as a whole.
        fields: `route`, `model`, `release`, `tenant`, `tags.NAME` and `signal.NAME`, as far as given.
        policy: the policy in force.
        policy_version: `policy.version`, computed once by the caller.
        forced: whether a caller waits for the score.
        scale: the share of all samples that the tenant's budget allows at this time.
    """
    stratum, wanted = policy.stratum(fields)
    rate = lowered(wanted, scale, policy.sampling.budget.floor) if policy.sampling.budget else wanted
    if position(unit, policy.sampling.salt) < rate:
        choice, reason = Choice.SAMPLED, Reason.HASH if rate == wanted else Reason.BUDGET
    elif forced:
        choice, reason = Choice.FORCED, Reason.WAIT
    else:
        choice, reason = Choice.SAMPLED_OUT, Reason.HASH if rate == wanted else Reason.BUDGET
    return Decision(
        choice=choice,
        reason=reason,
        stratum=stratum,
        inclusion_probability=rate,
        policy_version=policy_version,
    )
