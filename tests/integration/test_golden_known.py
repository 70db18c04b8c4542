"""`assay golden run` with a scorer that has lost what it must know: no set has to show it."""

import json
import re
from pathlib import Path

import pytest

from service.core.golden.probes import shipped_probes
from tests.integration.golden_running import LENIENT, TARGET, Golden, flat, golden, kettle, kettles

__all__ = ["golden"]
SHARP = {"ASSAY_THRESHOLD": "balanced"}  # the fake scorer has 7 of 20 hallucinated known answers; the lenient one none


@pytest.fixture
def supported(golden: Golden) -> Golden:
    """With a set of supported items alone, of which no threshold flags any."""
    golden.add_set("mine", [kettle(number, hallucinated=False) for number in range(80)])
    return golden


def test_a_scorer_that_lost_known_answers_is_worse(supported: Golden) -> None:
    """Also against a set that cannot show it, by the run's baseline; unasked it is no worse."""
    supported.run("mine", **SHARP)
    supported("baseline", "mine")
    assert "Its scorer has 27 of 40 known answers right." in flat(supported.run("mine", **SHARP).stdout)
    broken = flat(supported.run("mine", code=3, **LENIENT).stdout)
    assert broken.startswith(
        "The scorer is broken: of 20 known answers that are hallucinated it misses 20, the baseline's scorer 13."
    )
    assert supported.record().known_answers is not None
    unasked = flat(supported.run("mine", "--no-probes", **LENIENT).stdout)
    assert unasked.startswith("No worse: ")
    assert "known answers is not compared: the candidate's scorer was not asked." in unasked
    assert "known answers right" not in unasked
    assert supported.record().known_answers is None


def test_what_a_broken_scorer_says_of_an_application_is_nothing(golden: Golden) -> None:
    """Baseline and candidate would both be flagged by it, or neither: that is no pass."""
    golden.run("mine", "--target", TARGET, **SHARP)
    golden("baseline", "mine", "--target", TARGET)
    assert flat(golden.run("mine", "--target", TARGET, **SHARP).stdout).startswith("No worse: ")
    broken = flat(golden.run("mine", "--target", TARGET, code=4, **LENIENT).stdout)
    assert broken.startswith("The scorer is broken: of 20 known answers that are hallucinated it misses 20, ")


def test_compare_tells_it_too(supported: Golden) -> None:
    """Of two files, as of a run and its baseline."""
    supported.run("mine", "--json", "before.json", **SHARP)
    supported.run("mine", "--json", "now.json", "--baseline", "none", **LENIENT)
    assert "The scorer is broken" in flat(supported("compare", "before.json", "now.json", code=3).stdout)
    assert "No worse" in flat(supported("compare", "now.json", "before.json").stdout)


def test_compare_asks_the_scorer_that_decides(golden: Golden) -> None:
    """Where two scorers looked at an application both runs are scored by a third, the one of now: it must be whole."""
    for name, threshold in (("sharp", "balanced"), ("middle", "0.6")):
        files = ["--json", f"{name}.json", "--baseline", "none"]
        golden.run("mine", "--target", TARGET, *files, ASSAY_THRESHOLD=threshold)
    compared = ("compare", "sharp.json", "middle.json")
    done = flat(golden(*compared, code=4, **LENIENT).stdout)
    assert done.startswith("The scorer is broken: of 20 known answers that are hallucinated it misses 20, ")
    assert "Its scorer has 20 of 40 known answers right." in done
    assert "Its scorer has 27 of 40 known answers right." in flat(golden(*compared, **SHARP).stdout)


def test_an_application_over_the_known_answers_asks_for_them_too(golden: Golden) -> None:
    """What is scored there are its own answers."""
    (golden.folder / "echo_bot.py").write_text("def answer(question, contexts):\n    return contexts[0]\n")
    golden.run("probes", "--target", "echo_bot:answer", "--repeats", "1", "--json", "probes.json")
    known = golden.record("probes.json").known_answers
    assert known is not None
    assert known.supported.right == known.supported.items


def moved(path: str, device: str = "another") -> None:
    """As if it was made on another processor."""
    document = json.loads(Path(path).read_text())
    document["runtime"]["device"] = device
    Path(path).write_text(json.dumps(document))


def test_another_processor_is_told_before_and_after(golden: Golden) -> None:
    """A scorer's margin allows for it, by the same figure in both places."""
    golden.add_set("mine", kettles(150))
    golden.run("mine", "--json", "before.json")
    here = golden.run("mine", "--baseline", "before.json")
    moved("before.json")
    there = golden.run("mine", "--baseline", "before.json")
    margins = []
    for done in (here, there):
        (before,) = re.findall(r"Margin: ([0-9.]+) points", done.stderr)
        assert set(re.findall(r"[Mm]argin,? ([0-9.]+) points", done.stdout)) == {before}
        margins.append(float(before))
    assert margins[0] < margins[1]
    assert "for 1.5% of answers that flake" in there.stderr
    assert "one kind of processor" in flat(there.stdout)
    assert "one kind of processor" not in flat(here.stdout)


@pytest.mark.parametrize("kept", [True, False])
def test_an_application_s_baseline_is_scored_here(golden: Golden, *, kept: bool) -> None:
    """Its responses, so that one processor sees both releases; where they were not kept, what was said of them stays."""
    golden.run("mine", "--target", TARGET, "--json", "before.json")
    document = json.loads(Path("before.json").read_text())
    for each in document["items"]:
        for answer in each["answers"]:
            answer.update({"flagged": True} | ({} if kept else {"response": None}))
    Path("before.json").write_text(json.dumps(document))
    moved("before.json")
    done = flat(golden.run("mine", "--target", TARGET, "--baseline", "before.json").stdout)
    assert ("flagged answers 40 0.0%" in done) is kept
    assert ("flagged answers 40 100.0%" in done) is not kept
    assert ("one kind of processor" in done) is not kept


def test_the_known_answers_themselves_are_not_asked_twice(golden: Golden) -> None:
    """A run over the probes is one already."""
    golden.run("probes", "--json", "probes.json")
    assert golden.record("probes.json").known_answers is None
    probes = shipped_probes()
    assert probes is not None
    assert len(golden.record("probes.json").items) == len(probes.items)
    assert Path("probes.json").is_file()
