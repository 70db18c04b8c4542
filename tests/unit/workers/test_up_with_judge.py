"""`assay up` starts a judge worker where the policy names a model to call, and only there."""

from pathlib import Path

import pytest

from service.core.config import Settings
from workers.up import calls_models

MODEL = 'url = "https://api.example.com/v1"\nmodel = "m"\ntenants = ["default"]\ninput_price = 0\noutput_price = 0\n'


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("[sampling]\nrate = 0.5\n", False),
        ("[consistency]\nsent = true\n", False),
        (f"[judge]\n{MODEL}", True),
        (f"[consistency.generator]\n{MODEL}rate = 0.1\n", True),
    ],
)
def test_who_is_called(tmp_path: Path, text: str, calls: bool) -> None:  # noqa: FBT001 - a case
    """A judge or a generator; alternative responses that are sent along need no call."""
    file = tmp_path / "policy.toml"
    file.write_text(text, encoding="utf-8")
    assert calls_models(Settings(policy_file=file)) is calls


def test_without_a_policy_nobody_is_called() -> None:
    """The default."""
    assert calls_models(Settings()) is False
