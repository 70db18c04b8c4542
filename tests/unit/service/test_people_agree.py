"""Agreement of people, against published figures and by hand."""

import pytest

from service.core.agreement import Votes, agreement


def votes(both_bad: int, both_good: int, apart: int) -> list[Votes]:
    return [
        *[Votes(hallucinated=2, faithful=0)] * both_bad,
        *[Votes(hallucinated=0, faithful=2)] * both_good,
        *[Votes(hallucinated=1, faithful=1)] * apart,
    ]


def test_by_hand() -> None:
    """20 both bad, 15 both good, 15 apart: pi = (.7 - e) / (1 - e), e = .55^2 + .45^2."""
    found = agreement(votes(20, 15, 15), 0.95)
    expected = 0.55**2 + 0.45**2
    assert (found.items, found.agreeing) == (50, 0.7)
    assert found.kappa == pytest.approx((0.7 - expected) / (1 - expected))
    assert found.kappa_low is not None and found.kappa_high is not None  # noqa: PT018 - narrows both
    assert found.kappa_low < found.kappa < found.kappa_high


def test_the_interval_is_that_of_large_samples() -> None:
    """With many items the jackknife's error is the published one of a 2 x 2 table (Fleiss, Cohen, Everitt 1969)."""
    found = agreement(votes(400, 400, 200), 0.95)
    assert found.kappa == pytest.approx(0.6)
    assert found.kappa_low is not None and found.kappa_high is not None  # noqa: PT018 - narrows both
    # Balanced margins: var = (1 - kappa^2) / n for pi at p = 1/2.
    assert (found.kappa_high - found.kappa_low) / 2 == pytest.approx(1.96 * ((1 - 0.6**2) / 1_000) ** 0.5, rel=0.02)


def test_raters_may_differ_in_number() -> None:
    """Three who agree and two who do not; one alone is no item."""
    found = agreement(
        [Votes(hallucinated=3, faithful=0), Votes(hallucinated=1, faithful=1), Votes(hallucinated=1, faithful=0)], 0.95
    )
    assert (found.items, found.agreeing) == (2, 0.5)


def test_all_say_one_thing() -> None:
    """Whether they could disagree is not to be seen: kappa is null, the share is 1."""
    found = agreement(votes(0, 9, 0), 0.95)
    assert (found.agreeing, found.kappa, found.kappa_low) == (1.0, None, None)


def test_one_item_tells_the_others_apart() -> None:
    """Where one item alone is why kappa can be told, it has no interval."""
    found = agreement(votes(0, 9, 1), 0.95)
    assert found.kappa is not None
    assert found.kappa_low is None


@pytest.mark.parametrize("held", [[], [Votes(hallucinated=1, faithful=0)]])
def test_nothing_to_compare(held: list[Votes]) -> None:
    """No number of nothing."""
    assert agreement(held, 0.95).agreeing is None
