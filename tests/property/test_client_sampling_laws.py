"""The client decides as the server does: for the shared vectors, and for whatever hypothesis thinks of."""

import json
from pathlib import Path
from typing import Any

import pytest
from assay_client.sampling import LocalPolicy, position
from hypothesis import given

from service import sampling
from service.core.policy import DEFAULT_STRATUM, parse_policy, tenant_rules
from tests.property.strategies import LAW, POLICIES, SALTS, SENT_FIELDS, UNITS, toml

VECTORS = json.loads((Path(__file__).parents[2] / "golden_sets" / "sampling" / "vectors.json").read_text("utf-8"))
TENANT = "a"


def body(fields: dict[str, str]) -> dict[str, Any]:
    """A submission with these fields."""
    tags = {name.removeprefix("tags."): value for name, value in fields.items() if name.startswith("tags.")}
    return {**{name: value for name, value in fields.items() if not name.startswith("tags.")}, "tags": tags}


def test_there_are_vectors() -> None:
    """A file without vectors would pass every test."""
    assert (len(VECTORS["positions"]) > 5, len(VECTORS["decisions"]) > 5) == (True, True)


@pytest.mark.parametrize("vector", VECTORS["positions"])
def test_position_vectors(vector: dict[str, Any]) -> None:
    """The client places each unit of the shared vectors where they say, to the last bit."""
    assert position(vector["unit"], vector["salt"]) == vector["position"]


@pytest.mark.parametrize("vector", VECTORS["decisions"])
def test_decision_vectors(vector: dict[str, Any]) -> None:
    """The client decides each submission of the shared vectors as they say."""
    stratum, sent = LocalPolicy.parse(vector["policy"]).decide(vector["unit"], body(vector["fields"]))
    assert stratum is not None
    expected = (vector["stratum"], vector["inclusion_probability"], vector["sampled"])
    assert (stratum.stratum, stratum.inclusion_probability, sent) == expected


@LAW
@given(UNITS, SALTS)
def test_positions_agree(unit: str, salt: str) -> None:
    """Client and server place every unit alike."""
    assert position(unit, salt) == sampling.position(unit, salt)


@LAW
@given(UNITS, POLICIES, SENT_FIELDS)
def test_decisions_agree(unit: str, said: dict[str, Any], fields: dict[str, str]) -> None:
    """Client and server decide every submission of a tenant alike, under every policy."""
    policy = parse_policy(toml(said))
    told = {
        "policy_version": policy.version,
        "domain": sampling.DOMAIN,
        "salt": policy.sampling.salt,
        "default": {"stratum": DEFAULT_STRATUM, "rate": policy.sampling.rate},
        "rules": [
            {"stratum": rule.name, "rate": rule.rate, "match": {name: list(values) for name, values in match.items()}}
            for rule, match in tenant_rules(policy, TENANT)
        ],
    }
    fields = {**fields, "tenant": TENANT}
    decision = sampling.decide(unit=unit, fields=fields, policy=policy, policy_version=policy.version, forced=False)
    stratum, sent = LocalPolicy.parse(json.loads(json.dumps(told))).decide(unit, body(fields))
    assert stratum == (decision.stratum, decision.inclusion_probability, decision.policy_version)
    assert sent == (decision.choice is sampling.Choice.SAMPLED)
