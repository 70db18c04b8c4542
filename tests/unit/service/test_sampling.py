"""The sampling decision."""

import math
from collections.abc import Mapping

import pytest

from service.core.policy import Policy
from service.sampling import Choice, Decision, Reason, decide, position
from tests.unit.service.support import policy

IDS = [f"chat-{number}" for number in range(20_000)]


def decided(
    unit: str, rules: Policy, *, fields: Mapping[str, str] | None = None, forced: bool = False
) -> tuple[Choice, Reason]:
    decision = decide(unit=unit, fields=fields or {}, policy=rules, policy_version="v", forced=forced)
    return decision.choice, decision.reason


@pytest.mark.parametrize(
    ("salt", "unit", "numerator"),
    [
        # sha256("assay.sampling.v1\nSALT\nUNIT")[:8], shifted right by 11; computed apart from the code under test
        ("", "a", 0xCC004D38953117A1 >> 11),
        ("", "4bf92f3577b34da6a3ce929d0e0e4736", 0x6540EE0EE7DAB065 >> 11),
        ("pepper", "chat-7f3a", 0x8D7488EE8DC520D2 >> 11),
        ("", "é😀", 0x081AE91B8EF6CFD1 >> 11),
        ("", "", 0x9C942B082F0428C5 >> 11),
    ],
)
def test_position_never_changes(salt: str, unit: str, numerator: int) -> None:
    """The hash is part of the contract: old decisions must stay repeatable for ever."""
    assert position(unit, salt) == numerator / 2**53


def test_position_in_figures() -> None:
    """One vector in decimal, so that a reader in another language can check its own."""
    assert position("a", "") == 0.7968796027318528


def test_same_submission_same_decision() -> None:
    """A decision is a function of the unit and the policy, of nothing else."""
    first = [decided(unit, policy(0.3)) for unit in IDS[:500]]
    assert [decided(unit, policy(0.3)) for unit in IDS[:500]] == first


def test_low_rate_is_part_of_high_rate() -> None:
    """In at 1% implies in at 5%: raising a rate only adds."""
    low = {unit for unit in IDS if decided(unit, policy(0.01))[0] is Choice.SAMPLED}
    high = {unit for unit in IDS if decided(unit, policy(0.05))[0] is Choice.SAMPLED}
    assert low < high


def test_rate_zero_takes_none() -> None:
    """At a rate of exactly 0 no submission is sampled."""
    assert {decided(unit, policy(0.0)) for unit in IDS[:2_000]} == {(Choice.SAMPLED_OUT, Reason.HASH)}


def test_rate_one_takes_all() -> None:
    """At a rate of exactly 1 every submission is sampled."""
    assert {decided(unit, policy(1.0)) for unit in IDS[:2_000]} == {(Choice.SAMPLED, Reason.HASH)}


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.5, 0.95])
def test_share_is_the_rate(rate: float) -> None:
    """Over many ids the share that is sampled lies within four binomial standard deviations of the rate."""
    sampled = sum(position(unit, "") < rate for unit in IDS)
    assert abs(sampled - rate * len(IDS)) < 4 * math.sqrt(len(IDS) * rate * (1 - rate))


def test_salts_choose_apart() -> None:
    """Under another salt other submissions are sampled: the two choices are independent."""
    both = sum(position(unit, "one") < 0.2 and position(unit, "two") < 0.2 for unit in IDS)
    assert abs(both - 0.04 * len(IDS)) < 4 * math.sqrt(len(IDS) * 0.04 * 0.96)


def test_forced_is_scored_but_not_in_the_rate() -> None:
    """What the hash leaves out is scored if a caller waits, and counts in no rate."""
    decision = decide(unit="a", fields={}, policy=policy(0.5), policy_version="v", forced=True)
    assert (decision.choice, decision.reason, decision.in_rate) == (Choice.FORCED, Reason.WAIT, False)


def test_forced_changes_nothing_for_the_sampled() -> None:
    """What the hash chooses counts in the rate, also if a caller waits."""
    assert decided("a", policy(0.8), forced=True) == decided("a", policy(0.8)) == (Choice.SAMPLED, Reason.HASH)


def test_sampled_out_is_not_in_the_rate() -> None:
    """What is left out has no row to count."""
    assert not decide(unit="a", fields={}, policy=policy(0.0), policy_version="v", forced=False).in_rate


def test_decision_carries_what_it_takes_to_repeat_it() -> None:
    """Stratum, probability and policy version stand in the decision."""
    rules = policy(0.05, rules='[[sampling.rules]]\nname = "new"\nrate = 1.0\nmatch = { release = "2026.2" }')
    assert decide(unit="a", fields={"release": "2026.2"}, policy=rules, policy_version="abc", forced=False) == Decision(
        choice=Choice.SAMPLED, reason=Reason.HASH, stratum="new", inclusion_probability=1.0, policy_version="abc"
    )
