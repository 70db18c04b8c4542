"""The statistics of a rate, against values known from elsewhere."""

import math

import numpy as np
import pytest

from service.core.estimate import NOTHING, Cell, bounds, estimate, responses
from service.core.intervals import wilson

Z95 = 1.959963984540054
TOLERANCE = 1e-9
Traffic = list[tuple[int, float, float]]  # submissions, inclusion probability, true rate; a stratum each


def drawn(random: np.random.Generator, traffic: Traffic) -> list[Cell]:
    """A day's traffic, sampled independently: how many come, are chosen and are flagged are all chance."""
    total = sum(submissions for submissions, _, _ in traffic)
    arrived = random.multinomial(total, [submissions / total for submissions, _, _ in traffic])
    cells = []
    for came, (_, probability, rate) in zip(arrived, traffic, strict=True):
        scored = int(random.binomial(came, probability))
        cells.append(responses(probability, scored, int(random.binomial(scored, rate))))
    return cells


def truth(traffic: Traffic) -> float:
    return sum(n * rate for n, _, rate in traffic) / sum(n for n, _, _ in traffic)


@pytest.mark.parametrize(
    ("flagged", "scored", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17: 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_intervals(flagged: int, scored: int, low: float, high: float) -> None:
    """Wilson's interval is the published one, to all four decimals printed."""
    found = wilson(flagged / scored, scored, 0.95)
    assert [round(value, 4) for value in found] == [low, high]


@pytest.mark.parametrize("n", [1, 7, 100, 12_345])
def test_none_flagged_in_closed_form(n: int) -> None:
    """With nothing flagged the interval is 0 to z^2 / (n + z^2): it never claims to know that the rate is 0."""
    low, high = wilson(0.0, n, 0.95)
    assert low == 0.0
    assert high == pytest.approx(Z95**2 / (n + Z95**2), abs=TOLERANCE)


@pytest.mark.parametrize("n", [1, 7, 100, 12_345])
def test_all_flagged_mirrors_none(n: int) -> None:
    """With everything flagged the interval is n / (n + z^2) to 1."""
    low, high = wilson(1.0, n, 0.95)
    assert high == 1.0
    assert low == pytest.approx(n / (n + Z95**2), abs=TOLERANCE)


def test_half_in_closed_form() -> None:
    """At one half the interval is symmetric, with half width z / (2 sqrt(n + z^2))."""
    half = Z95 / (2 * math.sqrt(50 + Z95**2))
    assert wilson(0.5, 50, 0.95) == pytest.approx((0.5 - half, 0.5 + half), abs=TOLERANCE)


def test_more_confidence_is_wider() -> None:
    """A higher confidence contains the interval of a lower one."""
    narrow, wide = wilson(0.1, 80, 0.8), wilson(0.1, 80, 0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize("probability", [1.0, 0.05, 0.001])
def test_equal_weights_are_plain_wilson(probability: float) -> None:
    """If every sample stands for as many, the estimate is the plain share with Wilson's interval at n."""
    found = estimate([responses(probability, 148, 15)], 0.95)
    assert found.rate == pytest.approx(15 / 148, abs=TOLERANCE)
    assert found.effective_n == pytest.approx(148, abs=1e-6)
    assert (found.low, found.high) == pytest.approx(wilson(15 / 148, 148, 0.95), abs=TOLERANCE)  # 15: Wilson's alone


def test_weights_count() -> None:
    """One sample at 1% stands for ten at 10%: 2 of 10 at 1% and 0 of 100 at 10% make 10%."""
    found = estimate([responses(0.01, 10, 2), responses(0.1, 100, 0)], 0.95)
    assert found.rate == pytest.approx(0.1, abs=TOLERANCE)


def test_effective_n_by_hand() -> None:
    """R (1 - R) / V for 2 of 4 at 50% and 2 of 4 at 100%: R = 1/2, V = (4 x 4/4 + 4/4) / 12^2 = 5/144, n = 7.2."""
    found = estimate([responses(0.5, 4, 2), responses(1.0, 4, 2)], 0.95)
    assert found.effective_n == pytest.approx(7.2, abs=TOLERANCE)


def test_nothing_scored_is_null() -> None:
    """A rate over nothing is null, not 0."""
    assert estimate([], 0.95) == NOTHING
    assert estimate([Cell(inclusion_probability=0.05, unknown=7)], 0.95) == NOTHING


def test_one_response() -> None:
    """One clean response says little: the interval reaches 95%, where it would be seen in one of twenty."""
    found = estimate([responses(0.05, 1, 0)], 0.95)
    assert found.low == 0.0
    assert found.high == pytest.approx(0.95, abs=1e-4)


def test_unequal_weights_with_nothing_flagged_take_kish() -> None:
    """Without any variance to see, n is Kish's: (sum w)^2 / sum w^2 = (20 + 20)^2 / (20 x 20 + 20) for 1 and 20."""
    found = estimate([responses(0.05, 1, 0), responses(1.0, 20, 0)], 0.95)
    assert found.effective_n == pytest.approx(1_600 / 420, abs=TOLERANCE)


def test_claims_of_one_response_are_not_independent() -> None:
    """Ten responses whose five claims always fall together are worth ten units, not fifty."""
    cell = Cell(inclusion_probability=0.05, scored=10, k=15, m=50, kk=75, km=75, mm=250)
    found = estimate([cell], 0.95)
    assert (found.rate, found.effective_n) == pytest.approx((0.3, 10.0), abs=1e-6)


@pytest.mark.parametrize("probability", [1.0, 0.5, 0.01, 0.001, 0.00003])
@pytest.mark.parametrize(("k", "m"), [(1, 3), (2, 3), (1, 7), (3, 10)])
def test_one_response_is_one_unit_whatever_its_claims(probability: float, k: int, m: int) -> None:
    """The claims of a single response show no variance: n is 1, and no rounding error may make it the claims."""
    cell = Cell(inclusion_probability=probability, scored=1, k=k, m=m, kk=k * k, km=k * m, mm=m * m)
    assert estimate([cell], 0.95).effective_n == pytest.approx(1.0, abs=TOLERANCE)


def test_claims_that_alternate_count_no_more_than_claims() -> None:
    """The effective sample size never exceeds the number of units seen, however evenly they fall."""
    cell = Cell(inclusion_probability=0.05, scored=10, k=11, m=20, kk=13, km=22, mm=40)
    found = estimate([cell], 0.95)
    assert found.effective_n is not None
    assert found.effective_n <= 20


def test_bounds_by_hand() -> None:
    """Unknown responses are all clean in one bound, and all flagged in the other, weighted as the rest."""
    cells = [responses(0.5, 8, 2, unknown=1), responses(1.0, 10, 1, unknown=4)]
    assert bounds(cells) == pytest.approx((5 / 32, 11 / 32), abs=TOLERANCE)


def test_bounds_collapse_when_nothing_is_unknown() -> None:
    """With nothing unknown both bounds are the rate itself."""
    cells = [responses(0.05, 40, 3), responses(1.0, 10, 9)]
    rate = estimate(cells, 0.95).rate
    assert bounds(cells) == pytest.approx((rate, rate), abs=TOLERANCE)


def test_bounds_over_nothing_are_null() -> None:
    """No response, no bounds."""
    assert bounds([]) == (None, None)


def test_bounds_over_unknowns_alone_say_nothing() -> None:
    """With nothing scored the rate may be anything."""
    assert bounds([Cell(inclusion_probability=0.05, unknown=7)]) == (0.0, 1.0)


def test_unequal_probabilities_do_not_bias() -> None:
    """A stratum that is sampled 20 times as often, and worse, does not pull the rate towards itself."""
    traffic: Traffic = [(4_000, 0.05, 0.05), (400, 1.0, 0.5)]
    random = np.random.default_rng(20_260_701)
    rates = [estimate(drawn(random, traffic), 0.95).rate or 0.0 for _ in range(2_000)]
    error = abs(float(np.mean(rates)) - truth(traffic))
    assert error < 4 * float(np.std(rates)) / math.sqrt(len(rates))
    assert error < 0.002  # the unweighted share is 0.35, the truth 0.091


@pytest.mark.parametrize(
    "traffic",
    [
        [(2_000, 0.05, 0.1)],
        [(2_000, 0.05, 0.02)],
        [(2_000, 0.05, 0.5)],
        [(1_000, 0.05, 0.1), (1_000, 0.5, 0.1)],
        [(5_000, 0.02, 0.02), (250, 1.0, 0.5)],
        [(9_000, 0.05, 0.08), (1_000, 0.5, 0.4)],
        [(500, 0.05, 0.9), (500, 0.5, 0.1)],
        # A stratum of few samples that stand for many, and seldom show anything flagged.
        [(400, 0.05, 0.05), (400, 0.9, 0.05)],
        [(1_000, 0.02, 0.05), (1_000, 0.2, 0.05), (1_000, 1.0, 0.05)],
    ],
)
def test_interval_covers_the_truth(traffic: Traffic) -> None:
    """Of intervals at 95%, at least 90% contain the rate of the process behind the traffic."""
    random = np.random.default_rng(7)
    found = [estimate(drawn(random, traffic), 0.95) for _ in range(2_000)]
    covered = [e.low <= truth(traffic) <= e.high for e in found if e.low is not None and e.high is not None]
    assert sum(covered) / len(covered) >= 0.9


def test_claim_interval_covers_the_truth() -> None:
    """Also where the claims of a response fall together, at least 90% of intervals contain the rate of claims."""
    random, covered = np.random.default_rng(11), 0
    for _ in range(1_000):
        scored = int(random.binomial(2_000, 0.05))
        m = 1 + random.poisson(3, scored)
        k = random.binomial(m, random.beta(0.2, 1.8, scored))
        sums = {"k": k, "m": m, "kk": k * k, "km": k * m, "mm": m * m}
        cell = Cell(
            inclusion_probability=0.05, scored=scored, **{name: int(value.sum()) for name, value in sums.items()}
        )
        found = estimate([cell], 0.95)
        covered += (found.low or 0.0) <= 0.1 <= (found.high or 0.0)
    assert covered / 1_000 >= 0.9
