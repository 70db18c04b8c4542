"""`assay check` says what a policy's alerts mean, what it takes for them to fire, and what speaks against them."""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.core.alerting.slo import needed_n
from workers.cli import app

RULE = """
[[alerts]]
name = "made-up"
metric = "flagged_rate"
above = 0.1
confidence = 0.999
match = { route = ["search", "faq"] }
group_by = ["release"]
severity = "critical"
"""
SINKS = """
[[sinks]]
name = "chat"
type = "slack"
url = "https://hooks.example.org/T0PSECRET"

[[sinks]]
name = "pager"
type = "pagerduty"
routing_key = "T0PSECRET"
tenants = ["acme"]
"""
SLO = """
[[slos]]
name = "answers"
metric = "flagged_rate"
objective = 0.93
samples_per_hour = 200
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def check(file: Path, text: str, columns: int = 220) -> Result:
    file.write_text(text)
    done = CliRunner().invoke(app, ["check", str(file)], env={"COLUMNS": str(columns)})
    assert "T0PSECRET" not in done.output
    return done


def row(said: str, name: str) -> str:
    return next(line for line in said.splitlines() if line.strip().startswith(name))


def test_nothing_of_a_policy_without_alerts(file: Path) -> None:
    """Who has no alerts reads nothing of them."""
    said = check(file, "[sampling]\nrate = 0.5\n").stdout
    for word in ("Alert", "Sink", "Objective", "Worker", "Warning"):
        assert word not in said


def test_a_rule_in_words(file: Path) -> None:
    """What is bad, by what it is judged, of whom, over which time, who is told; and how much it takes."""
    said = row(check(file, RULE + SINKS).stdout, "made-up")
    for part in (
        "flagged rate above 10%",
        "99.9% lower bound",
        "each release, route search or faq",
        "1h",
        "10m",
        "critical",
        "chat, pager",
        f"{needed_n(0.1, 0.999)} samples to tell 20% from 10%",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("changes", "takes"),
    [
        ("above = 0.4\nmin_effective_n = 1", f"{needed_n(0.4, 0.999)} samples to tell 80% from 40%"),
        ("above = 0.9", f"{needed_n(0.9, 0.999)} samples to tell 100% from 90%"),
        ("above = 0.1\nmin_effective_n = 1", f"{needed_n(0.1, 0.999)} samples"),
        ("above = 0.1\nmin_effective_n = 500", "500 samples to tell"),
        ('above = 0.1\non = "point"', "30 samples, the fewest that are judged"),
        ("below = 0.1", "30 samples, the fewest that are judged"),
        ("above = 0", "30 samples, the fewest that are judged"),
    ],
)
def test_how_many_samples_it_takes(file: Path, changes: str, takes: str) -> None:
    """To tell twice the threshold, 100% at most, from the threshold; never fewer than the rule judges."""
    assert takes in row(check(file, RULE.replace("above = 0.1", changes)).stdout, "made-up")


@pytest.mark.parametrize(
    ("metric", "above", "warns"),
    [
        ("flagged_rate", 0.05, True),
        ("flagged_rate", 0.06, False),
        ("claim_rate", 0.01, True),
        ("hallucination_rate", 0.01, False),
        ("unscored_share", 0.01, False),
    ],
)
def test_thresholds_that_the_detector_reaches_alone(file: Path, metric: str, above: float, *, warns: bool) -> None:
    """`strict` flags up to 5% of good answers: a rule below that is warned of, and valid all the same."""
    text = RULE.replace("flagged_rate", metric).replace("above = 0.1", f"above = {above}")
    done = check(file, text + SINKS)
    assert (done.exit_code, "with no bad answer at all" in done.stdout) == (0, warns)
    assert "The policy is valid" in done.stdout


def test_an_age_has_no_bound(file: Path) -> None:
    """The queue's age is known: no interval, no number of samples."""
    said = row(check(file, '[[alerts]]\nname = "queue"\nmetric = "queue_age_s"\nabove = 900\n').stdout, "queue")
    assert "queue age above 15m" in said
    assert "bound" not in said
    assert "samples" not in said


def test_an_objective(file: Path) -> None:
    """The pairs of windows that follow with burn rate and threshold, what was lengthened, what is left out and why."""
    said = check(file, SLO + SINKS).stdout
    assert "Objective answers: flagged rate of at most 7% over 28d" in said
    fast = row(said, "answers.burn-1h")
    for part in ("1h and 35m", "13.4", "above 94.08%", "99% lower bound", "critical"):
        assert part in fast
    assert "answers.burn-1h: its short window is 35m instead of 5m, to have enough samples." in said
    assert "above 6.533%" in row(said, "answers.burn-3d")
    said = check(file, SLO.replace("0.93", "0.9")).stdout
    assert "answers.burn-1h" not in said
    assert "A usual pair is left out. A burn rate of 13.4 is 134% bad answers" in said


def test_sinks_without_their_secrets(file: Path) -> None:
    """Where each sends, as far as it is no secret, and whose alerts it gets."""
    said = check(file, RULE + SINKS).stdout
    assert "slack hooks.example.org" in row(said, "chat")
    assert "every tenant" in row(said, "chat")
    assert "acme" in row(said, "pager")
    assert "nobody is told" not in said


@pytest.mark.parametrize("sinks", ["", SINKS[SINKS.index('[[sinks]]\nname = "pager"') :]])
def test_nobody_is_told(file: Path, sinks: str) -> None:
    """Without a sink that gets the tenant's alerts they are only seen by who looks, and that is said."""
    said = check(file, RULE + 'tenants = ["default"]\n' + sinks).stdout
    assert "Warning: nobody is told of made-up" in said


def test_on_a_narrow_terminal(file: Path) -> None:
    """What does not fit as a table is a paragraph for each rule, with nothing cut off."""
    said = check(file, RULE + SINKS, columns=70).stdout
    assert "\n  bad is     flagged rate above 10%\n" in said
    assert "…" not in said
