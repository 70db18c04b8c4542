"""What a policy would have sampled, by hand and against worlds in which it did."""

import numpy as np
import pytest

from service.core.clock import EPOCH
from service.core.estimate import estimate, responses
from service.core.policy import parse_policy
from workers.policy_simulation import Past, simulate

RULES = """
[sampling]
rate = 0.1
[[sampling.rules]]
name = "risky"
rate = 0.5
signals = ["digits"]
"""


def past(count: int, flagged: int, weight: float, *, risky: bool = False) -> list[Past]:
    fields = {"signal.digits": "true"} if risky else {}
    return [Past(fields=fields, weight=weight, flagged=n < flagged, received_at=EPOCH) for n in range(count)]


def test_by_hand() -> None:
    """1,000 plain and 100 risky submissions give 100 and 50 samples."""
    found = simulate(parse_policy(RULES), [*past(50, 5, 20.0), *past(10, 4, 10.0, risky=True)], 7, "default")
    assert {each.name: (each.submissions, each.samples, each.flagged_rate) for each in found.strata} == {
        "default": (1_000, 100, pytest.approx(0.1)),
        "risky": (100, 50, pytest.approx(0.4)),
    }
    assert (found.submissions, found.samples, found.uncovered, found.rows, found.scale) == (1_100, 150, 0, 60, 1.0)
    assert found.rate == pytest.approx(140 / 1_100)


def test_a_budget_lowers_evenly() -> None:
    """Half of what is wanted: half of each rate; below the floor nothing, said to be uncovered."""
    text = RULES + '[sampling.budget]\nsamples = 75\nper = "day"\n'
    found = simulate(parse_policy(text), [*past(50, 5, 20.0), *past(10, 4, 10.0, risky=True)], 1, "default")
    assert (found.samples, found.scale) == (pytest.approx(75), pytest.approx(0.5))
    high = simulate(
        parse_policy(text + "floor = 0.2\n"), [*past(50, 5, 20.0), *past(10, 4, 10.0, risky=True)], 1, "default"
    )
    assert high.uncovered == 1_000


def test_the_width_is_what_comes_out() -> None:
    """The width told beforehand is, on average, that of the intervals that the policy then gives."""
    random = np.random.default_rng(5)
    rows = [*past(1_000, 50, 20.0), *past(100, 30, 10.0, risky=True)]
    told = simulate(parse_policy(RULES), rows, 1, "default")
    widths = []
    for _ in range(300):
        plain, risky = random.binomial(20_000, 0.1), random.binomial(1_000, 0.5)
        cells = [
            responses(0.1, int(plain), int(random.binomial(plain, 0.05))),
            responses(0.5, int(risky), int(random.binomial(risky, 0.3))),
        ]
        found = estimate(cells, 0.95)
        assert found.high is not None
        assert found.low is not None
        widths.append(found.high - found.low)
    assert told.width == pytest.approx(float(np.mean(widths)), rel=0.1)


def test_nothing_stored_is_nothing_told() -> None:
    """No samples, no figures."""
    found = simulate(parse_policy(RULES), [], 1, "default")
    assert (found.rows, found.rate, found.width, found.strata) == (0, None, None, ())


def test_samples_without_a_score_count_as_traffic() -> None:
    """They are submissions too; the rate is of the others."""
    found = simulate(
        parse_policy(RULES),
        [Past(fields={}, weight=20.0, flagged=None, received_at=EPOCH), *past(10, 1, 20.0)],
        1,
        "default",
    )
    assert (found.submissions, found.rate) == (220, pytest.approx(0.1))
