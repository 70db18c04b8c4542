"""Quantiles and intervals, against scipy and the exact binomial distribution."""

import pytest
from scipy import stats

from service.core.intervals import gamma_quantile, interval, t_quantile, wilson


@pytest.mark.parametrize("shape", [0.01, 0.3, 1.0, 2.5, 11.0, 60.0])
@pytest.mark.parametrize("tail", [0.0001, 0.05, 0.3, 0.5])
def test_gamma_quantile(shape: float, tail: float) -> None:
    """The quantile is scipy's."""
    assert gamma_quantile(tail, shape) == pytest.approx(stats.gamma.ppf(tail, shape), rel=1e-8, abs=1e-290)


@pytest.mark.parametrize("df", [3, 4, 10, 50])
def test_t_quantile(df: float) -> None:
    """From three degrees of freedom on within 0.2% of scipy's; more of them are the normal quantile."""
    assert t_quantile(0.975, df) == pytest.approx(stats.t.ppf(0.975, df), rel=2e-3)
    assert t_quantile(0.975, 1e9) == pytest.approx(stats.norm.ppf(0.975))


@pytest.mark.parametrize("n", [5, 20, 50, 1_000])
@pytest.mark.parametrize("true", [0.0005, 0.001, 0.002, 0.01, 0.03, 0.1, 0.3, 0.5, 0.97, 0.999])
def test_coverage_is_never_far_below(n: int, true: float) -> None:
    """At 95% at least 92.7% of binomial counts have an interval that holds the truth; Wilson's alone falls to 84%."""
    found = [interval(k / n, n, 0.95) for k in range(n + 1)]
    covered = sum(stats.binom.pmf(k, n, true) for k, (low, high) in enumerate(found) if low <= true <= high)
    assert covered > 0.927


def test_wilson_alone_falls_below() -> None:
    """What the wider end is for: at a rate of 0.017% of 1,000, Wilson's interval holds the truth in 84%."""
    true, n = 0.00017, 1_000
    held = [k for k in range(20) if wilson(k / n, n, 0.95)[0] <= true <= wilson(k / n, n, 0.95)[1]]
    assert sum(stats.binom.pmf(k, n, true) for k in held) < 0.85


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.9999])
@pytest.mark.parametrize("count", [0.0, 0.4, 1.0, 3.0, 11.0, 12.0, 50.0])
def test_it_contains_wilson_s(count: float, confidence: float) -> None:
    """The interval is never within Wilson's, mirrors itself, and lies within 0 to 1."""
    n = 60.0
    low, high = interval(count / n, n, confidence)
    inner = wilson(count / n, n, confidence)
    assert 0 <= low <= inner[0] <= inner[1] <= high <= 1
    assert interval(1 - count / n, n, confidence) == pytest.approx((1 - high, 1 - low))
