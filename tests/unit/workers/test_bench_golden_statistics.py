"""How often the gate errs, in few worlds; and the document of `assay bench statistics --only golden`."""

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from service.core.golden.gate import ALPHA
from service.core.golden.power import APPLICATION_FLAKES, default_margin
from workers.bench.statistics_golden import SCENES, SEED, GoldenPlan, bench_golden, draw, outcome, wrong_categories
from workers.bench.statistics_golden_report import golden_document
from workers.bench.statistics_golden_results import GateCell, GateOutcome, Scene

WORLDS = 300
AT_THE_MARGIN = [scene for scene in SCENES if scene.worse is None]
UNCHANGED = next(scene for scene in SCENES if scene.worse == 0 and scene.flakes == APPLICATION_FLAKES)


def most(share: float, worlds: int = WORLDS) -> float:
    """As many of the worlds as chance makes of a share, but for one try in a thousand."""
    return stats.binom.ppf(0.999, worlds, share)


def said(scene: Scene, items: int, repeats: int, worlds: int = WORLDS) -> GateOutcome:
    """What the gate says with the shipped default margin of an application."""
    margin = default_margin([items], repeats, APPLICATION_FLAKES)
    cell = GateCell(scene=scene, items=items, repeats=repeats, margin=margin)
    return outcome(cell, worlds, np.random.default_rng(SEED))


@pytest.mark.parametrize("scene", AT_THE_MARGIN, ids=lambda scene: scene.name)
@pytest.mark.parametrize(("items", "repeats"), [(100, 3), (60, 1)])
def test_a_verdict_errs_with_at_most_alpha(scene: Scene, items: int, repeats: int) -> None:
    """What is worse by just the margin is called `no worse`, and `worse`, in at most 5% each, but for chance."""
    found = said(scene, items, repeats)
    assert found.no_worse <= most(ALPHA)
    assert found.worse <= most(ALPHA)
    assert found.cannot_tell >= WORLDS - 2 * most(ALPHA)


def test_an_unchanged_application_passes() -> None:
    """At 100 items and 3 repeats an application of which 3% of the answers flake passes in 9 of 10 runs or more."""
    found = said(UNCHANGED, 100, 3)
    assert found.no_worse >= 0.9 * WORLDS
    assert found.worse == 0


def test_a_much_worse_one_is_found() -> None:
    """At 200 items and 3 repeats a change by 15 points is called worse in 8 of 10 runs or more, and never no worse."""
    for scene in SCENES[-2:]:
        found = said(scene, 200, 3, worlds=50)
        assert found.worse >= 40
        assert found.no_worse == 0


def test_categories_are_seldom_wrong() -> None:
    """Where nothing changed, in at most 5% of runs any of twenty categories is called worse, but for chance."""
    assert wrong_categories(0.1, 60, np.random.default_rng(SEED)).wrong <= most(ALPHA, 60)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_worlds_are_as_bad_as_they_say(scene: Scene) -> None:
    """The mean difference of very many items is the one that the scene names, within four standard errors."""
    n, margin = 20_000, 0.08
    pairs = draw(scene, n, 2, margin, np.random.default_rng(SEED))
    differences = np.array([pair.difference for pair in pairs])
    expected = margin if scene.worse is None else scene.worse
    assert abs(differences.mean() - expected) <= 4 * differences.std() / np.sqrt(n)
    flaking = np.mean([pair.baseline.flake for pair in pairs])
    assert flaking == pytest.approx(2 * scene.flakes * (1 - scene.flakes), abs=0.005)


def test_document() -> None:
    """Every cell stands in the table of what is true in it, with shares that make one whole."""
    result = bench_golden(GoldenPlan(worlds=2, sizes=(20,)), Console(quiet=True))
    text = golden_document(result)
    assert result.quick
    assert len(result.gates) == 3 * len(SCENES)
    assert all(each.worse + each.no_worse + each.cannot_tell == each.worlds == 2 for each in result.gates)
    parts = text.split("**Worse by exactly the margin.**")
    for scene in SCENES:
        assert (parts[0].count(f"| {scene.name} |"), parts[1].count(f"| {scene.name} |")) == (
            (3, 0) if scene.worse == 0 else (0, 3)
        )
    assert f"seed {SEED}" in text
