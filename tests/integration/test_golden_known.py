"""`assay golden run` with a scorer that has lost what it must know: no set has to show it."""

from pathlib import Path

import pytest

from service.core.golden.probes import shipped_probes
from tests.integration.golden_running import LENIENT, TARGET, Golden, flat, golden, kettle

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
        "The scorer is broken: of 20 known answers that are hallucinated it finds 0, and the baseline's scorer 7."
    )
    assert supported.record().known_answers is not None
    unasked = flat(supported.run("mine", "--no-probes", **LENIENT).stdout)
    assert unasked.startswith("No worse: ")
    assert "known answers" not in unasked
    assert supported.record().known_answers is None


def test_what_a_broken_scorer_says_of_an_application_is_nothing(golden: Golden) -> None:
    """Baseline and candidate would both be flagged by it, or neither: that is no pass."""
    golden.run("mine", "--target", TARGET, **SHARP)
    golden("baseline", "mine", "--target", TARGET)
    assert flat(golden.run("mine", "--target", TARGET, **SHARP).stdout).startswith("No worse: ")
    broken = flat(golden.run("mine", "--target", TARGET, code=4, **LENIENT).stdout)
    assert broken.startswith("The scorer is broken: of 20 known answers that are hallucinated it finds 0, ")


def test_compare_tells_it_too(supported: Golden) -> None:
    """Of two files, as of a run and its baseline."""
    supported.run("mine", "--json", "before.json", **SHARP)
    supported.run("mine", "--json", "now.json", "--baseline", "none", **LENIENT)
    assert "The scorer is broken" in flat(supported("compare", "before.json", "now.json", code=3).stdout)
    assert "No worse" in flat(supported("compare", "now.json", "before.json").stdout)


def test_the_known_answers_themselves_are_not_asked_twice(golden: Golden) -> None:
    """A run over the probes is one already."""
    golden.run("probes", "--json", "probes.json")
    assert golden.record("probes.json").known_answers is None
    probes = shipped_probes()
    assert probes is not None
    assert len(golden.record("probes.json").items) == len(probes.items)
    assert Path("probes.json").is_file()
