"""The policy file as workers follow it: what cannot be read leaves in force what was, and is read again."""

from pathlib import Path

import pytest

from workers.policy_file import PolicyFile

RATE = "[sampling]\nrate = {}\n"


def rate(file: PolicyFile) -> float | None:
    policy = file.read()
    return None if policy is None else policy.sampling.rate


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Without a restart; nothing is in force before the file could be read."""
    path = tmp_path / "policy.toml"
    file = PolicyFile(path)
    assert rate(file) is None
    path.write_text(RATE.format(0.1))
    assert rate(file) == 0.1
    path.write_text(RATE.format(0.25))
    assert rate(file) == 0.25


@pytest.mark.parametrize("text", ["", "[sampling]\nrate =", "[sampling]\nrate = 7\n"])
def test_what_is_no_policy_changes_nothing(tmp_path: Path, text: str) -> None:
    """An empty file is one that is about to be written."""
    path = tmp_path / "policy.toml"
    path.write_text(RATE.format(0.1))
    file = PolicyFile(path)
    assert rate(file) == 0.1
    path.write_text(text)
    assert rate(file) == 0.1
    path.write_text(RATE.format(0.25))
    assert rate(file) == 0.25
