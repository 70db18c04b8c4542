"""What one run says by itself."""

import pytest

from service.core.golden.comparison_schemas import Endpoint
from service.core.golden.record import AnswerState, TargetKind
from service.core.golden.summary import EndpointRate, SummaryAnswer, summarise
from service.core.intervals import interval
from tests.unit.service.golden.runs import item, many, run


def only(found: SummaryAnswer) -> EndpointRate:
    (endpoint,) = found.endpoints
    return endpoint


def test_rate_of_an_application() -> None:
    """The share of items that are bad, with the interval of so many items; nothing unknown, so the bounds are the rate."""
    found = only(summarise(run(*many("-" * 3 + "+" * 15 + "0" * 2))))
    assert (found.name, found.items, found.unknown) == (Endpoint.MADE_UP, 20, 0)
    assert (found.rate, found.bound_low, found.bound_high) == (0.15, 0.15, 0.15)
    assert (found.ci_low, found.ci_high) == interval(0.15, 20, 0.95)


def test_endpoints_of_a_scorer() -> None:
    """Missed ones are counted among hallucinated items, false alarms among supported ones, others nowhere."""
    items = [*many("--+", "h"), *many("-+", "ok", hallucinated=False), (item("none", hallucinated=None), "-")]
    found = summarise(run(*items, kind=TargetKind.SCORER))
    assert [(each.name, each.items, each.rate) for each in found.endpoints] == [
        (Endpoint.MISSED, 3, pytest.approx(1 / 3)),
        (Endpoint.FALSE_ALARMS, 2, 0.5),
    ]
    assert [(each.name, each.items) for each in found.categories] == [("numbers", 5)]
    assert found.answers[AnswerState.SCORED] == 6


@pytest.mark.parametrize("mark", ["?", "!", "."])
def test_unknown_is_left_out_of_the_rate_and_bounds_it(mark: str) -> None:
    """Failed, unscored and pending repeats are unknown: the rate leaves them out, the bounds take them either way."""
    found = only(summarise(run(*many(["--", "-" + mark, mark * 2, "++"]))))
    assert (found.items, found.unknown) == (4, 2)
    assert found.rate == pytest.approx(2 / 3)
    assert (found.ci_low, found.ci_high) == interval(2 / 3, 3, 0.95)
    assert (found.bound_low, found.bound_high) == (1.5 / 4, 3 / 4)


def test_items_weigh_the_same() -> None:
    """An item with unknown repeats counts as much as one without."""
    assert only(summarise(run(*many(["+++", "-??"])))).rate == 0.5


def test_nothing_known_is_null() -> None:
    """A rate over nothing is null, and so is its interval; without items so are the bounds."""
    found = only(summarise(run(*many("??"))))
    assert (found.rate, found.ci_low, found.ci_high) == (None, None, None)
    assert (found.bound_low, found.bound_high) == (0, 1)
    empty = summarise(run(kind=TargetKind.SCORER))
    for each in empty.endpoints:
        assert set(each.model_dump(exclude={"name", "items", "unknown"}).values()) == {None}
    assert (empty.flake_rate, empty.declined_rate, empty.categories, empty.reasons) == (None, None, [], {})


def test_answers_by_state_and_reason() -> None:
    """Every repeat is in one state, and those that are not scored say why."""
    found = summarise(run(*many(["-+0", "?!.", "000"])))
    assert found.answers == {
        AnswerState.PENDING: 1,
        AnswerState.SCORED: 2,
        AnswerState.NOT_APPLICABLE: 4,
        AnswerState.UNSCORED: 1,
        AnswerState.FAILED: 1,
    }
    assert found.reasons == {"failed: timed_out": 1, "not_applicable: refusal": 4, "unscored: language": 1}
    assert found.declined_rate == pytest.approx(4 / 6)


def test_flake_rate() -> None:
    """It is the mean over items that have two known repeats; single repeats have none."""
    assert summarise(run(*many(["+-", "++", "-?"]))).flake_rate == 0.5
    assert summarise(run(*many("+-"))).flake_rate is None


def test_categories() -> None:
    """Each category by its items, in order of names; null where nothing is known."""
    items = [*many("-+", "b", category="b"), *many("--", "a", category="a"), *many("?", "c", category="c")]
    found = summarise(run(*items)).categories
    assert [(each.name, each.items, each.rate) for each in found] == [("a", 2, 1.0), ("b", 2, 0.5), ("c", 1, None)]
