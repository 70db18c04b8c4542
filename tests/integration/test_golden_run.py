"""`assay golden run`: the verdict as an exit status, what is refused, and the files that it writes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from models.load import ScorerConfig, load_scorer
from service.core.golden.record import AnswerState, RunRecord, TargetKind
from tests.integration.golden_running import COUNT, LENIENT, Golden, flat, golden, kettle, kettles
from tests.receiver import HERE, Receiver
from tests.unit.workers.test_golden_target_http import send

__all__ = ["golden"]
RECORD = ".assay/golden/mine.scorer.json"


def test_a_run_without_a_baseline(golden: Golden) -> None:
    """Status 0; the record has set, target, scorer, release and commit, and every answer; its file reads back the same."""
    done = golden.run("mine", "--release", "2026.2", "--commit", "abc123")
    record = golden.record()
    assert (record.set_name, record.kind, record.target) == ("mine", TargetKind.SCORER, "scorer")
    assert (record.release, record.git_commit, record.repeats) == ("2026.2", "abc123", 1)
    assert record.fingerprint == load_scorer(ScorerConfig(kind="fake")).fingerprint
    assert record.finished_at is not None
    assert [each.item for each in record.items] == kettles()
    assert [[a.flagged for a in each.answers] for each in record.items] == [[each.hallucinated] for each in kettles()]
    assert RunRecord.model_validate_json(record.model_dump_json()) == record
    assert f"mine: {2 * COUNT} items, once each, by scorer." in done.stderr
    assert "There is no database" in done.stderr
    assert "Not compared" in done.stdout
    assert not (golden.folder / "none.db").exists()
    assert [path.name for path in (golden.folder / ".assay/golden").iterdir()] == ["mine.scorer.json"]


@pytest.mark.parametrize(
    ("code", "margin", "environment", "told"),
    [
        (0, "15", {}, "No worse"),
        (3, "15", LENIENT, "Worse"),
        (4, "1", {}, "Cannot tell"),
        (0, None, {}, "No worse"),
    ],
)
def test_the_verdict_is_the_status(
    golden: Golden, code: int, margin: str | None, environment: dict[str, str], told: str
) -> None:
    """0 no worse, 3 worse, 4 cannot tell, against the last run; what can be told is said before."""
    golden.run("mine", "--json", "before.json")
    given = ["--margin", margin] if margin else []
    done = golden.run("mine", "--baseline", "before.json", *given, code=code, **environment)
    assert told in done.stdout.splitlines()[0]
    assert f" {COUNT} hallucinated items, " in done.stderr
    (before,) = re.findall(r"Margin: ([0-9.]+) points", done.stderr)
    (after,) = set(re.findall(r"[Mm]argin,? ([0-9.]+) points", done.stdout))
    assert before == after == (margin or after)


def test_what_of_a_set_is_not_run_is_told(golden: Golden) -> None:
    """Two of a minimal pair ask one question; for the scorer an item needs a response with a label."""
    golden.add_set("mine", [*kettles(10), kettle(90, hallucinated=False, response=None)])
    done = golden.run("mine", "--target", "kettle_bot:answer")
    assert "mine: 11 items, 3 times each, by kettle_bot:answer; 10 more of the set have no question, or" in flat(
        done.stderr
    )
    done = golden.run("mine")
    assert "mine: 20 items, once each, by scorer; 1 more of the set has no response with a label." in flat(done.stderr)


def test_what_is_told_before_is_what_is_compared(golden: Golden) -> None:
    """Margin and least change are of the items that both runs have and that are not in quarantine."""
    golden.add_set("mine", kettles()[20:])
    golden.run("mine", "--json", "before.json")
    golden.add_set("mine")
    (golden.folder / "mine/quarantine.toml").write_text(
        '[[items]]\nid = "ok-39"\nuntil = 2999-01-01\nreason = "flaky"\n'
    )
    done = golden.run("mine", "--baseline", "before.json", "--repeats", "2", code=4)
    assert f"mine: {2 * COUNT} items, 2 times each, by scorer." in done.stderr
    assert " 30 hallucinated items, " in done.stderr
    assert " 29 supported items, " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["mine", "--margin", "0"], "--margin is in points"),
        (["mine", "--margin", "100.5"], "--margin is in points"),
        (["mine", "--margin", "nan"], "--margin is in points"),
        (["nowhere"], "There is no golden set 'nowhere'"),
        (["mine", "nowhere"], "There is no golden set 'nowhere'"),
        (["mine", "bare"], "The set bare cannot test this target"),
        (["mine", "./mine"], "Two of the sets have the same name"),
        (["mine", "--baseline", "other"], "There is no baseline 'other': no such file, and no golden_baselines"),
        (["mine", "--baseline", "items.txt"], "is no record of a golden run"),
        (["mine", "--baseline", "run:x"], "There is no database"),
        (["mine", "--target", "nobody"], "'nobody' is no target"),
        (["mine", "--target", "json:dumps", "--template", '"{{question}}"'], "are of a URL"),
        (["mine", "--temperature", "1"], "is of --chat"),
        (["bare"], "cannot test this target: no item has a response with a label"),
        (["bare", "--target", "json:dumps"], "cannot test this target: no item has a question"),
        (["mine", "--json", "mine"], "mine is no file"),
        (["mine", "--json", "items.txt/run.json"], "items.txt cannot be made"),
        (["mine", "--json", "/dev/null"], "/dev/null is no file"),
    ],
)
def test_what_is_refused(golden: Golden, arguments: list[str], told: str) -> None:
    """Status 2 with a sentence, before anything is run."""
    unlabelled = kettle(1, hallucinated=False, question=None).model_copy(update={"hallucinated": None})
    golden.add_set("bare", [unlabelled])
    (golden.folder / "items.txt").write_text("{}")
    done = golden.run(*arguments, code=2)
    assert told in flat(done.stderr)
    assert not list(golden.folder.glob(".assay/golden/*"))
    assert not (golden.folder / "none.db").exists()


def test_several_sets(golden: Golden) -> None:
    """One file of each kind for each set, with its name in it; the worst verdict is the status."""
    golden.add_set("yours", [each for each in kettles() if not each.hallucinated])
    golden.run("mine", "yours", "--json", "before.json")
    assert {path.name for path in golden.folder.glob("before*")} == {"before.mine.json", "before.yours.json"}
    for name in ("mine", "yours"):
        golden("baseline", name, "--from", f"before.{name}.json")
    files = ["--json", "now.json", "--junit", "out/junit.xml", "--html", "out/report.html"]
    done = golden.run("mine", "yours", "--margin", "15", *files, code=3, **LENIENT)  # mine alone is worse
    assert [line.partition(":")[0] for line in done.stdout.splitlines() if re.match("Worse|No worse", line)] == [
        "Worse",
        "No worse",
    ]
    assert golden.record("now.yours.json").set_name == "yours"
    assert {path.name for path in (golden.folder / "out").iterdir()} == {
        f"{kind}.{name}.{end}" for kind, end in (("junit", "xml"), ("report", "html")) for name in ("mine", "yours")
    }


def test_reports(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """JUnit and HTML as asked for; for GitHub annotations and, where a job has one, its summary, else Markdown."""
    golden.run("mine", "--json", "before.json")
    files = ["--baseline", "before.json", "--junit", "new/junit.xml", "--html", "report.html"]
    done = golden.run("mine", *files, "--github", "--margin", "15", code=3, **LENIENT)
    assert int(ET.parse(golden.folder / "new/junit.xml").getroot().attrib["failures"]) > 0  # noqa: S314 - our own
    assert "Worse" in (golden.folder / "report.html").read_text(encoding="utf-8")
    assert "::error title=Golden set mine::Worse: " in done.stdout
    assert "## ❌ Worse: golden set mine" in done.stdout
    summary = golden.folder / "summary.md"
    summary.write_text("Before.\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    done = golden.run("mine", "--baseline", "before.json", "--github")
    assert "::notice title=Golden set mine::No worse: " in done.stdout
    assert "## " not in done.stdout
    assert summary.read_text(encoding="utf-8").startswith("Before.\n## ✅ No worse: golden set mine")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(golden.folder))
    assert "cannot be written" in golden.run("mine", "--github", code=2).stderr
    assert "cannot be written" in golden.run("mine", "--html", "mine", code=2).stderr


def test_quarantine(golden: Golden) -> None:
    """Items in it count for nothing until their day, and the report names them; from that day on they count."""
    golden.run("mine", "--json", "before.json")
    text = "".join(f'[[items]]\nid = "bad-{number}"\nuntil = {{}}\nreason = "in dispute"\n' for number in range(COUNT))
    quarantine = golden.folder / "mine/quarantine.toml"
    compared = ["mine", "--baseline", "before.json", "--margin", "15"]
    quarantine.write_text(text.replace("{}", "2999-01-01"))
    done = golden.run(*compared, **LENIENT)
    assert f"{COUNT} items" in flat(done.stdout)
    assert "quarantine" in done.stdout
    quarantine.write_text(text.replace("{}", "2026-01-01"))
    golden.run(*compared, code=3, **LENIENT)


def floor(golden: Golden, found: float, passed: float) -> None:
    fingerprint = load_scorer(ScorerConfig(kind="fake")).fingerprint
    text = f'["{fingerprint}"]\nfound = {found}\npassed = {passed}\n'
    (golden.folder / "mine/floors.toml").write_text(text)


def test_floors(golden: Golden) -> None:
    """Who is below a floor of its own fingerprint is worse, whatever the baseline; other scorers have none."""
    broken = kettles()
    broken[1] = broken[1].model_copy(update={"response": broken[0].response})  # labelled hallucinated, never flagged
    golden.add_set("mine", broken)
    golden.run("mine")
    golden("baseline", "mine")
    floor(golden, found=0.97, passed=1)
    golden.run("mine")
    floor(golden, found=0.98, passed=1)
    done = golden.run("mine", code=3)
    assert "97.5% of the hallucinated items are flagged; the floor of this scorer is 98.0%." in flat(done.stdout)
    assert "Against the baseline, no worse" in flat(done.stdout)
    golden.run("mine", "--baseline", "none", ASSAY_THRESHOLD="0.8")
    (golden.folder / "mine/quarantine.toml").write_text(
        '[[items]]\nid = "bad-0"\nuntil = 2999-01-01\nreason = "label"\n'
    )
    golden.run("mine")


def test_what_cannot_be_scored_reaches_no_floor(golden: Golden) -> None:
    """A scorer that breaks on what is hallucinated has not found it."""
    golden.add_set(
        "mine",
        [
            each.model_copy(update={"response": f"[[fake:nan]] {each.response}"}) if each.hallucinated else each
            for each in kettles()
        ],
    )
    floor(golden, found=0.1, passed=1)
    assert "0.0% of the hallucinated items are flagged" in flat(golden.run("mine", code=3).stdout)
    states = {answer.state for each in golden.record().items for answer in each.answers}
    assert states == {AnswerState.SCORED, AnswerState.UNSCORED}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(answer=lambda handler: send(handler, {"out": "Kettles can be returned within 30 days."})) as started:
        yield started


def test_an_endpoint(golden: Golden, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question once for each repeat, as the template says; neither query nor header is in any file or output."""
    monkeypatch.setenv("BOT_TOKEN", "Bearer sk-secret")
    target = f"http://{HERE}:{receiver.port}/ask"
    asked = ["--target", f"{target}?key=sk-secret", "--header", "Authorization=BOT_TOKEN", "--response-path", "out"]
    body = '{"q": "{{question}}", "id": "{{id}}"}'
    done = golden.run("mine", *asked, "--template", body, "--repeats", "2", "--junit", "j.xml", "--html", "h.html")
    record = golden.record(".assay/golden/mine.application.json")
    assert (record.target, record.kind, record.repeats) == (target, TargetKind.APPLICATION, 2)
    expected = [{"q": f"What about kettle {number}?", "id": f"ok-{number}"} for number in range(COUNT)] * 2
    assert sorted(map(json.dumps, expected)) == sorted(json.dumps(each.json) for each in receiver.came)
    assert {each.headers["authorization"] for each in receiver.came} == {"Bearer sk-secret"}
    assert all(answer.response and not answer.flagged for each in record.items for answer in each.answers)
    files = [path for path in golden.folder.rglob("*") if path.is_file()]
    assert "sk-secret" not in done.output + "".join(path.read_text(encoding="utf-8") for path in files)
    assert {Path(each.path).name for each in receiver.came} == {"ask?key=sk-secret"}
