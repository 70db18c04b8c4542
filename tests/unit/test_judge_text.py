"""docs/judge.md: every policy in it is one, and every reason a review may end for stands in it."""

import re
from pathlib import Path

import pytest

from models.types import ReviewReason
from service.core.policy import parse_policy

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "judge.md").read_text(encoding="utf-8")
POLICIES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def test_there_are_policies() -> None:
    """A pattern that finds none would pass every rule."""
    assert len(POLICIES) >= 4


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_are_valid(policy: str) -> None:
    """Each can be copied as it is."""
    assert parse_policy(policy)


@pytest.mark.parametrize("reason", list(ReviewReason))
def test_reasons_are_told(reason: ReviewReason) -> None:
    """Whoever finds a reason in an answer finds what to do about it."""
    assert f"| `{reason.value}`" in TEXT
