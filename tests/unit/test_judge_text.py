"""docs/judge.md: its policies and commands can be copied, and every reason a review may end for stands in it."""

import re
from pathlib import Path

import pytest

from models.types import ReviewReason
from service.core.policy import parse_policy
from workers.judge.scripted import parser

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


def test_the_rehearsal_can_be_copied() -> None:
    """The scripted endpoint knows the options that it is started with."""
    (command,) = re.findall(r"`assay judge scripted ([^`]+)`", TEXT)
    given = vars(parser("scripted").parse_args(command.split()))
    assert given["port"] == 8081
