"""The laws of sampling and of policies."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.core.policy import FIELDS, Policy, parse_policy
from service.sampling import Choice, decide, position
from tests.property.strategies import LAW, POLICIES, RATES, SALTS, SENT_FIELDS, UNITS, toml


def sampled(unit: str, rate: float, salt: str) -> bool:
    policy = Policy.model_validate({"sampling": {"rate": rate, "salt": salt}})
    return decide(unit=unit, fields={}, policy=policy, policy_version="v", forced=False).choice is Choice.SAMPLED


@LAW
@given(UNITS, SALTS)
def test_position_lies_in_the_unit_interval(unit: str, salt: str) -> None:
    """A position is at least 0 and below 1, so that a rate of 0 takes none and a rate of 1 takes all."""
    assert 0 <= position(unit, salt) < 1
    assert (sampled(unit, 0.0, salt), sampled(unit, 1.0, salt)) == (False, True)


@LAW
@given(UNITS, SALTS, RATES)
def test_decisions_repeat(unit: str, salt: str, rate: float) -> None:
    """The same unit under the same policy is decided the same, always."""
    assert sampled(unit, rate, salt) == sampled(unit, rate, salt)


@LAW
@given(UNITS, SALTS, RATES, RATES)
def test_sampling_is_monotone_in_the_rate(unit: str, salt: str, one: float, other: float) -> None:
    """In at a lower rate implies in at a higher one."""
    low, high = sorted((one, other))
    assert sampled(unit, low, salt) <= sampled(unit, high, salt)


@LAW
@given(UNITS, POLICIES, SENT_FIELDS, st.booleans())
def test_probability_is_that_of_the_stratum(
    unit: str,
    said: dict[str, Any],
    fields: dict[str, str],
    forced: bool,  # noqa: FBT001 - drawn
) -> None:
    """A decision carries the rate of its stratum, whatever was decided; only a wait makes a forced sample."""
    policy = parse_policy(toml(said))
    decision = decide(unit=unit, fields=fields, policy=policy, policy_version=policy.version, forced=forced)
    rates = {"default": said["rate"]} | {rule["name"]: rule["rate"] for rule in said["rules"]}
    assert decision.inclusion_probability == rates[decision.stratum]
    left_out = Choice.FORCED if forced else Choice.SAMPLED_OUT
    inside = position(unit, said["salt"]) < rates[decision.stratum]
    assert decision.choice is (Choice.SAMPLED if inside else left_out)


@LAW
@given(POLICIES, SENT_FIELDS)
def test_first_match_wins(said: dict[str, Any], fields: dict[str, str]) -> None:
    """The stratum is the first rule whose every field has a wanted value, else the default."""

    def fits(wanted: str | list[str], value: str | None) -> bool:
        return value is not None and (value == wanted if isinstance(wanted, str) else value in wanted)

    matching = [r for r in said["rules"] if all(fits(w, fields.get(name)) for name, w in r["match"].items())]
    expected = (matching[0]["name"], matching[0]["rate"]) if matching else ("default", said["rate"])
    assert parse_policy(toml(said)).stratum(fields) == expected


@LAW
@given(POLICIES)
def test_version_is_of_the_meaning(said: dict[str, Any]) -> None:
    """Comments and the order of keys change neither the policy nor its version."""
    one, other = parse_policy(toml(said)), parse_policy(toml(said, turned=True))
    assert (one, one.version) == (other, other.version)


@LAW
@given(POLICIES, POLICIES)
def test_two_policies_have_two_versions(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Versions are equal exactly where policies are."""
    first, second = parse_policy(toml(one)), parse_policy(toml(other))
    assert (first.version == second.version) == (first == second)


@LAW
@given(SENT_FIELDS)
def test_default_policy_knows_no_strata(fields: dict[str, str]) -> None:
    """Without rules every submission has the base rate."""
    assert set(FIELDS) == {"route", "model", "release", "tenant"}
    assert Policy().stratum(fields) == ("default", 0.05)
