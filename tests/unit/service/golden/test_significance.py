"""The sign test and Holm's correction, beside scipy and an example by hand."""

import pytest
from scipy import stats

from service.core.golden.significance import holm, sign_test
from tests.unit.service.golden.runs import pair

WORSE, BETTER, SAME = pair("+", "-"), pair("-", "+"), pair("+", "+")


@pytest.mark.parametrize(("worse", "better"), [(1, 0), (0, 1), (3, 3), (10, 0), (9, 2), (0, 12), (60, 41), (700, 640)])
def test_sign_test(worse: int, better: int) -> None:
    """It is scipy's exact binomial test, one-sided; items that did not change say nothing."""
    expected = stats.binomtest(worse, worse + better, alternative="greater").pvalue
    assert sign_test([WORSE] * worse + [BETTER] * better) == pytest.approx(expected, rel=1e-9)
    assert sign_test([SAME] * 50 + [BETTER] * better + [WORSE] * worse) == pytest.approx(expected, rel=1e-9)


def test_sign_test_of_very_many() -> None:
    """A category may be as large as a set, of which more items change than a float can count ways for."""
    assert sign_test([WORSE, BETTER] * 1_000) == pytest.approx(
        stats.binomtest(1_000, 2_000, alternative="greater").pvalue
    )
    assert sign_test([WORSE] * 2_000) == 0.0


def test_sign_test_of_repeats() -> None:
    """An item counts once, by the direction of its mean, however many repeats it has; unknown ones do not count."""
    assert sign_test([pair("+++", "++-"), pair("+++", "---"), pair("---", "+++"), pair("?", "-")]) == 0.5


@pytest.mark.parametrize("pairs", [[], [SAME] * 9, [pair("+", "?")]])
def test_nothing_changed(pairs: list) -> None:
    """Where nothing is known to have changed the value is 1."""
    assert sign_test(pairs) == 1


def test_holm_by_hand() -> None:
    """The smallest of four is multiplied by four, the next by three and so on; none falls below one before it, or over 1."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({"a": 0.5, "b": 0.9}) == {"a": 1.0, "b": 1.0}


def test_holm_of_few() -> None:
    """A single one stays as it is, equal ones stay equal, and of none there is none."""
    assert holm({}) == {}
    assert holm({"a": 0.03}) == {"a": 0.03}
    assert holm({"b": 0.02, "a": 0.02}) == {"a": 0.04, "b": 0.04}


def test_holm_rejects_what_stepping_down_rejects() -> None:
    """A value is below alpha exactly where Holm's steps, written out, reach it."""
    for alpha in (0.01, 0.05, 0.2):
        p_values = {str(at): p for at, p in enumerate((0.001, 0.004, 0.012, 0.012, 0.03, 0.2, 0.6))}
        rejected = set()
        for place, (name, p) in enumerate(p_values.items()):
            if p >= alpha / (len(p_values) - place):
                break
            rejected.add(name)
        assert {name for name, p in holm(p_values).items() if p < alpha} == rejected
