"""The sampling vectors: what the sidecar and every client in any language must decide alike."""

import json
from pathlib import Path
from typing import Any

from service.core.policy import DEFAULT_STRATUM, Policy, tenant_rules
from service.sampling import DOMAIN, Choice, decide, position

FILE = Path(__file__).resolve().parents[2] / "golden_sets" / "sampling" / "vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


def policy_of(answer: dict[str, Any]) -> Policy:
    """The policy that would be answered so."""
    rules = [
        {"name": rule["stratum"], "rate": rule["rate"], "match": rule["match"] | {"tenant": answer["tenant"]}}
        for rule in answer["rules"]
    ]
    return Policy.model_validate(
        {"sampling": {"rate": answer["default"]["rate"], "salt": answer["salt"], "rules": rules}}
    )


def test_positions() -> None:
    """Every vector's unit lies where the sidecar puts it, to the last bit."""
    assert len(VECTORS["positions"]) > 20
    assert [v["position"] for v in VECTORS["positions"]] == [
        position(v["unit"], v["salt"]) for v in VECTORS["positions"]
    ]


def test_decisions() -> None:
    """Every vector is decided by the sidecar as it says."""
    assert {v["sampled"] for v in VECTORS["decisions"]} == {True, False}
    for vector in VECTORS["decisions"]:
        answer = vector["policy"]
        assert answer["domain"] == DOMAIN
        assert answer["default"]["stratum"] == DEFAULT_STRATUM
        decision = decide(
            unit=vector["unit"],
            fields=vector["fields"] | {"tenant": answer["tenant"]},
            policy=policy_of(answer),
            policy_version=answer["policy_version"],
            forced=False,
        )
        found = (decision.stratum, decision.inclusion_probability, decision.choice is Choice.SAMPLED)
        assert found == (vector["stratum"], vector["inclusion_probability"], vector["sampled"])


def test_a_tenant_sees_its_own_rules() -> None:
    """Rules of other tenants are left out, conditions on the own tenant are dropped."""
    policy = Policy.model_validate(
        {
            "sampling": {
                "rules": [
                    {"name": "theirs", "rate": 0.1, "match": {"tenant": "other"}},
                    {"name": "both", "rate": 0.2, "match": {"tenant": ["mine", "other"], "route": "a"}},
                    {"name": "mine", "rate": 0.3, "match": {"tenant": "mine"}},
                ]
            }
        }
    )
    assert [(rule.name, match) for rule, match in tenant_rules(policy, "mine")] == [
        ("both", {"route": ["a"]}),
        ("mine", {}),
    ]
