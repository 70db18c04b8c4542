"""`assay alerts test`: whether a sink takes what it is sent, and if not why, before it matters."""

from pathlib import Path

import pytest

from tests.integration.alerting import HOOK
from tests.integration.commanded import Run, alerts_command
from tests.receiver import HERE, Receiver


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return alerts_command(ASSAY_POLICY_FILE=str(tmp_path / "alerts.toml"))


def sinks(folder: Path, receiver: Receiver, kind: str = 'type = "webhook"') -> None:
    url = f"http://{HERE}:{receiver.port}/T0PSECRET"
    (folder / "alerts.toml").write_text(f'[[sinks]]\nname = "ours"\nallow_private = true\nurl = "{url}"\n{kind}\n')


def test_fires_and_is_over(run: Run, tmp_path: Path) -> None:
    """Both are marked as a test, of one incident, and neither is taken for a repetition of the other."""
    with Receiver() as receiver:
        sinks(tmp_path, receiver)
        said = run("test", "ours")
        again = run("test", "ours")
    assert (said.exit_code, again.exit_code) == (0, 0)
    assert said.stdout.count("ours (webhook 127.0.0.1) took") == 2
    assert "T0PSECRET" not in said.output
    told = [request.json for request in receiver.came]
    assert [each["event"] for each in told] == ["firing", "resolved"] * 2
    assert {each["rule"] for each in told} == {"assay-test"}
    assert all("test" in each["reason"] for each in told)
    assert len({request.headers["idempotency-key"] for request in receiver.came}) == 4
    incidents = [each["incident"] for each in told]
    assert incidents[0] == incidents[1] != incidents[2] == incidents[3]


def test_a_pager_closes(run: Run, tmp_path: Path) -> None:
    """PagerDuty's incident is opened and resolved by one key."""
    with Receiver() as receiver:
        sinks(tmp_path, receiver, 'type = "pagerduty"\nrouting_key = "abc"')
        assert run("test", "ours").exit_code == 0
    opened, closed = (request.json for request in receiver.came)
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]


@pytest.mark.parametrize(
    ("status", "fix"), [(500, "try again by themselves"), (404, "Correct the sink"), (302, "final address")]
)
def test_failure(run: Run, tmp_path: Path, status: int, fix: str) -> None:
    """The reason, the fix, and a status that a script sees; not the secret."""
    with Receiver(status=status) as receiver:
        sinks(tmp_path, receiver)
        said = run("test", "ours")
    assert said.exit_code == 1
    assert f"was not told: answered {status}" in said.stderr
    assert fix in said.stderr
    assert "T0PSECRET" not in said.output
    assert len(receiver.came) == 1


def test_failure_of_the_end(run: Run, tmp_path: Path) -> None:
    """Where only the beginning was taken an incident may stay open, and that is said."""
    with Receiver() as receiver:
        receiver.answer = lambda handler: _once(receiver, handler)
        sinks(tmp_path, receiver)
        said = run("test", "ours")
    assert (said.exit_code, "close it there" in said.stderr) == (1, True)


def test_a_secret_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """The fix is the file, not the network."""
    (tmp_path / "alerts.toml").write_text('[[sinks]]\nname = "ours"\ntype = "slack"\nurl_file = "/nowhere"\n')
    said = run("test", "ours")
    assert (said.exit_code, "secret's file" in said.stderr) == (1, True)


def test_unknown_sink(run: Run, tmp_path: Path) -> None:
    """Those that there are, are named."""
    (tmp_path / "alerts.toml").write_text(HOOK)
    said = run("test", "other")
    assert (said.exit_code, "Its sinks: hook." in said.stderr) == (2, True)


def _once(receiver: Receiver, handler: object) -> None:
    """Takes the first request, refuses those after it."""
    receiver.status = 200 if len(receiver.came) == 1 else 400
    receiver.answer, answer = None, receiver.answer
    receiver.respond(handler)  # type: ignore[arg-type]
    receiver.answer = answer
