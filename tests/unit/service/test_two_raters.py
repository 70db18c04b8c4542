"""Agreement of two raters: hand-computed tables, what is not known, and intervals that hold."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.two_raters import Crossed, Pair, Unknown, two_raters

PAIRS = st.lists(
    st.builds(
        Pair,
        first=st.booleans(),
        second=st.booleans(),
        cluster=st.sampled_from("abcdefgh"),
        weight=st.floats(0.1, 100),
    ),
    min_size=1,
    max_size=40,
)


def pairs(both: int, first: int, second: int, neither: int) -> list[Pair]:
    """So many pairs of each kind, each a cluster of its own."""
    kinds = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    return [Pair(first=one, second=two, cluster=str(at)) for at, (one, two) in enumerate(kinds)]


def test_cohens_kappa_by_hand() -> None:
    """Of 50, 20 both say yes, 15 both no, 5 and 10 one alone: 0.7 agree, 0.5 would by chance."""
    found = two_raters(pairs(20, 5, 10, 15), 0.95)
    assert (found.pairs, found.clusters, found.effective_n) == (50, 50, 50)
    assert (found.agreeing, found.kappa) == (pytest.approx(0.7), pytest.approx(0.4))
    assert found.unknown is None


def test_the_interval_is_that_of_the_delta_method() -> None:
    """At many pairs the jackknife is Fleiss, Cohen and Everitt's (1969) error of kappa: 0.4 with 0.0906 for 100 as above."""
    found = two_raters(pairs(40, 10, 20, 30), 0.95)
    assert found.kappa_low is not None
    assert found.kappa_high is not None
    assert (found.kappa_high - found.kappa_low) / 2 == pytest.approx(1.984 * 0.0906, rel=0.03)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 9), (9, 0)])
def test_one_class_is_unknown_and_not_0(first: int, second: int) -> None:
    """Where a rater says one thing of everything there is no kappa; raw agreement stays."""
    found = two_raters(pairs(0, first, second, 91), 0.95)
    assert (found.kappa, found.kappa_low, found.kappa_high) == (None, None, None)
    assert found.unknown is Unknown.ONE_CLASS
    assert found.agreeing == pytest.approx(91 / (91 + first + second))


def test_nothing_is_unknown() -> None:
    """Of no pairs nothing is known, and why is said."""
    found = two_raters([], 0.95)
    assert (found.agreeing, found.agreeing_low, found.kappa, found.unknown) == (None, None, None, Unknown.NOTHING)


def test_one_cluster_has_no_interval() -> None:
    """What belongs together shows no spread."""
    found = two_raters([Pair(first=x, second=y, cluster="a") for x in (True, False) for y in (True, False)], 0.95)
    assert (found.kappa, found.kappa_low, found.unknown) == (0.0, None, Unknown.ONE_CLUSTER)


def test_what_rests_on_one_cluster_has_no_interval() -> None:
    """One response alone makes kappa defined: leaving it out says so."""
    found = two_raters(pairs(1, 0, 0, 30), 0.95)
    assert (found.kappa, found.kappa_low, found.unknown) == (1.0, None, Unknown.RESTS_ON_ONE)


def test_agreement_on_everything_has_an_interval_below_1() -> None:
    """All agree in 20: the rate is 1, its lower end is not."""
    found = two_raters(pairs(10, 0, 0, 10), 0.95)
    assert found.agreeing == 1.0
    assert found.agreeing_low is not None
    assert 0.75 < found.agreeing_low < 0.9
    assert (found.kappa, found.kappa_high) == (1.0, 1.0)
    assert found.kappa_low == pytest.approx(1 - (1 - found.agreeing_low) / 0.5)


def test_weights_count_as_copies_in_the_table() -> None:
    """A weight of three is three responses of one cluster, but for the number of pairs and what they are worth."""
    heavy = [Pair(first=p.first, second=p.second, cluster=p.cluster, weight=3.0) for p in pairs(4, 1, 0, 0)]
    mixed = two_raters(heavy + pairs(0, 0, 2, 8), 0.95)
    copied = two_raters([*(pairs(4, 1, 0, 0) * 3), *pairs(0, 0, 2, 8)], 0.95)
    assert (mixed.table, mixed.kappa) == (copied.table, pytest.approx(copied.kappa))
    assert (mixed.pairs, mixed.effective_n) == (15, pytest.approx((15 + 10) ** 2 / (5 * 9 + 10)))


@given(PAIRS)
def test_bounds_and_symmetry(held: list[Pair]) -> None:
    """Figures stay inside their intervals and ranges, and no rater is the first by right."""
    found = two_raters(held, 0.95)
    turned = two_raters([Pair(first=p.second, second=p.first, cluster=p.cluster, weight=p.weight) for p in held], 0.95)
    assert (found.kappa is None) is (turned.kappa is None)
    if found.kappa is not None and turned.kappa is not None:
        assert found.kappa == pytest.approx(turned.kappa)
        assert -1 <= found.kappa <= 1
    if found.kappa is not None and found.kappa_low is not None and found.kappa_high is not None:
        assert found.kappa_low - 1e-9 <= found.kappa <= found.kappa_high + 1e-9
    assert found.agreeing is not None
    assert found.agreeing_low is not None
    assert found.agreeing_high is not None
    assert 0 <= found.agreeing_low <= found.agreeing + 1e-9
    assert found.agreeing <= found.agreeing_high + 1e-9 <= 1 + 2e-9
    assert found.effective_n <= found.pairs + 1e-9


def world(draw: random.Random) -> list[Pair]:
    """90 sessions of one to three responses that have something in common, judged more often where the first flags."""
    made = []
    for session in range(90):
        hard = draw.random()
        for _ in range(draw.choice((1, 1, 2, 3))):
            first = draw.random() < (0.6 if hard < 0.5 else 0.2)
            second = first if draw.random() < (0.9 if hard < 0.5 else 0.6) else draw.random() < 0.4
            chosen = 1.0 if first else 0.5
            if draw.random() < chosen:
                made.append(Pair(first=first, second=second, cluster=str(session), weight=1 / chosen))
    return made


def true_kappa() -> float:
    """Of the process behind `world`: each half of the sessions counts the same."""
    cells = {(x, y): 0.0 for x in (True, False) for y in (True, False)}
    for flags, copies in ((0.6, 0.9), (0.2, 0.6)):
        for first in (True, False):
            of_first = flags if first else 1 - flags
            for second in (True, False):
                of_second = copies * (first is second) + (1 - copies) * (0.4 if second else 0.6)
                cells[first, second] += 0.5 * of_first * of_second
    kappa = Crossed(
        both=cells[True, True], first=cells[True, False], second=cells[False, True], neither=cells[False, False]
    ).kappa
    assert kappa is not None
    return kappa


def test_the_interval_covers_the_true_kappa() -> None:
    """Of 300 worlds the 95% interval of the weighted kappa has the true one in at least 93%, and not in all."""
    truth, draw = true_kappa(), random.Random(3)
    covered = 0
    for _ in range(300):
        found = two_raters(world(draw), 0.95)
        assert found.kappa_low is not None
        assert found.kappa_high is not None
        covered += found.kappa_low <= truth <= found.kappa_high
    assert 279 <= covered < 300
