"""Laws of the combined score."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from service.core.combination import Combination, Combined, FittedScorer, Parts, Thresholds, make_combination

SHARES = st.floats(0, 1)
SLOPES = st.floats(0, 50)
OFFSETS = st.floats(-20, 20)


@st.composite
def fits(draw: st.DrawFn) -> Combination:
    names = {"nli": ("nli",), "judge": ("judge",), "consistency": ("selfcheck", "entropy")}
    scorers = tuple(
        FittedScorer(
            name=name,  # type: ignore[arg-type]
            fingerprint="f",
            slopes={each: draw(SLOPES) for each in held},
            absent=draw(OFFSETS),
        )
        for name, held in names.items()
    )
    return make_combination(
        intercept=draw(OFFSETS),
        scorers=scorers,
        thresholds=Thresholds(balanced=0.5, strict=draw(st.floats(0.5, 1))),
        made_at=datetime(2026, 11, 1, tzinfo=UTC),
        figures={},
    )


def parts(nli: float, judge: float, selfcheck: float, entropy: float) -> Parts:
    return Parts(
        nli=nli,
        nli_fingerprint="f",
        judge=judge,
        judge_fingerprint="f",
        selfcheck=selfcheck,
        entropy=entropy,
        consistency_fingerprint="f",
    )


@given(fits(), st.tuples(*[SHARES] * 4), st.tuples(*[SHARES] * 4))
def test_worse_in_everything_is_never_better(
    fit: Combination, one: tuple[float, ...], other: tuple[float, ...]
) -> None:
    """Where no scorer finds a response better, the combined score is not lower, and a flag does not go."""
    better = fit.combine(parts(*map(min, one, other)))
    worse = fit.combine(parts(*map(max, one, other)))
    if isinstance(better, Combined) and isinstance(worse, Combined):
        assert better.score <= worse.score + 1e-12
        assert better.flagged <= (worse.score + 1e-12 >= worse.threshold)
    else:
        assert better == worse  # nothing in the fit speaks


@given(fits(), st.tuples(*[SHARES] * 4))
def test_a_score_is_a_probability(fit: Combination, values: tuple[float, ...]) -> None:
    """Whatever the coefficients, it stays within 0 and 1, and nothing overflows."""
    found = fit.combine(parts(*values))
    assert not isinstance(found, Combined) or 0 <= found.score <= 1


@given(fits())
def test_the_file_means_the_same(fit: Combination) -> None:
    """Every fit comes back from its text with the same digest."""
    assert Combination.model_validate_json(fit.model_dump_json()) == fit
