"""The laws of the gate: its interval, its verdicts, and the correction for many categories."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.core.golden.gate import (
    Difference,
    Pair,
    Repeats,
    Verdict,
    changes,
    decide,
    known_differences,
    paired_difference,
    together,
)
from service.core.golden.power import items_needed
from service.core.golden.significance import holm, sign_test
from tests.property.strategies import LAW

CLOSE = 1e-9
FEWER = settings(LAW, max_examples=50)  # of laws that look at many items again and again
TAILS = st.sampled_from([0.05, 0.025])
MARGINS = st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.3])
VERDICTS = st.lists(st.sampled_from(Verdict), max_size=4)
P_VALUES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1), max_size=8)


@st.composite
def repeats(draw: st.DrawFn, *, most_bad: int = 4, least_known: int = 0) -> Repeats:
    """Of one item in one run, at least one."""
    bad = draw(st.integers(0, most_bad))
    good = draw(st.integers(max(0, least_known - bad), 4))
    return Repeats(bad=bad, good=good, unknown=draw(st.integers(0 if bad + good else 1, 3)))


def runs(*, most_bad: int = 4, least_known: int = 0, min_size: int = 0) -> st.SearchStrategy[list[Pair]]:
    """Items in both runs; `most_bad` bounds the baseline's bad repeats."""
    pairs = st.builds(
        Pair, baseline=repeats(most_bad=most_bad, least_known=least_known), candidate=repeats(least_known=least_known)
    )
    return st.lists(pairs, min_size=min_size, max_size=15)


@st.composite
def crowds(draw: st.DrawFn) -> list[Pair]:
    """Runs of which many are decided: a few kinds of items, many of each."""
    kinds = draw(runs(most_bad=1, min_size=1).map(lambda pairs: pairs[:4]))
    stayed, turned = draw(st.integers(0, 60)), draw(st.integers(0, 60))
    good, bad = Repeats(bad=0, good=2), Repeats(bad=2, good=0)
    return [
        *(each for each in kinds for _ in range(draw(st.integers(1, 5)))),
        *[Pair(baseline=good, candidate=good)] * stayed,
        *[Pair(baseline=good, candidate=bad)] * turned,
    ]


def swapped(pairs: list[Pair]) -> list[Pair]:
    return [Pair(baseline=each.candidate, candidate=each.baseline) for each in pairs]


@st.composite
def hidden(draw: st.DrawFn, found: Repeats) -> Repeats:
    """The same repeats, some more of which nobody knows."""
    bad, good = draw(st.integers(0, found.bad)), draw(st.integers(0, found.good))
    return Repeats(bad=bad, good=good, unknown=found.number - bad - good)


@LAW
@given(runs(), TAILS)
def test_the_interval_holds_every_truth(pairs: list[Pair], tail: float) -> None:
    """-1 <= low <= high <= 1, and between them lies the difference, whatever the unknown repeats would have been."""
    found = paired_difference(pairs, tail)
    assert -1 <= found.low <= found.high <= 1
    for each in ([pair.least for pair in pairs], [pair.most for pair in pairs]):
        assert found.low - CLOSE <= math.fsum(each) / max(1, len(each)) <= found.high + CLOSE


@LAW
@given(runs(least_known=1, min_size=1), TAILS)
def test_the_interval_holds_the_value(pairs: list[Pair], tail: float) -> None:
    """Where something is known of each item on both sides, the value lies in the interval."""
    found = paired_difference(pairs, tail)
    assert found.value is not None
    assert found.low - CLOSE <= found.value <= found.high + CLOSE


@LAW
@given(runs(), TAILS)
def test_the_other_way_round_mirrors_it(pairs: list[Pair], tail: float) -> None:
    """With baseline and candidate changed over, value and interval change their signs; the order of items means nothing."""
    found, other = paired_difference(pairs, tail), paired_difference(swapped(pairs)[::-1], tail)
    assert (other.low, other.high) == pytest.approx((-found.high, -found.low), abs=CLOSE)
    assert other.value == (None if found.value is None else pytest.approx(-found.value, abs=CLOSE))
    assert (other.items, other.unknown) == (found.items, found.unknown)


@FEWER
@given(st.data(), TAILS)
def test_more_unknown_never_narrows(data: st.DataObject, tail: float) -> None:
    """Whatever else is not known, both ends stay or move outwards."""
    pairs = data.draw(runs())
    less = [
        Pair(baseline=data.draw(hidden(each.baseline)), candidate=data.draw(hidden(each.candidate))) for each in pairs
    ]
    before, after = paired_difference(pairs, tail), paired_difference(less, tail)
    assert after.low <= before.low + CLOSE
    assert after.high >= before.high - CLOSE
    assert after.unknown >= before.unknown


@FEWER
@given(st.data(), TAILS, MARGINS)
def test_failures_make_no_verdict(data: st.DataObject, tail: float, margin: float) -> None:
    """What is not known can turn a verdict into `cannot_tell` and nothing into a verdict."""
    pairs = data.draw(crowds())
    at = data.draw(st.integers(0, min(8, len(pairs))))
    less = [*(replace(each, candidate=data.draw(hidden(each.candidate))) for each in pairs[:at]), *pairs[at:]]
    before, after = (decide(paired_difference(each, tail), margin) for each in (pairs, less))
    assert after in {before, Verdict.CANNOT_TELL}


@FEWER
@given(crowds(), TAILS, MARGINS)
def test_a_verdict_holds_of_the_whole_interval(pairs: list[Pair], tail: float, margin: float) -> None:
    """`worse` has its interval and every truth beyond the margin, `no_worse` within it; the rest cannot tell."""
    found = paired_difference(pairs, tail)
    verdict = decide(found, margin)
    assert (verdict is Verdict.WORSE) == (found.low > margin and found.items > 0)
    assert (verdict is Verdict.NO_WORSE) == (found.high < margin and found.items > 0)
    if verdict is Verdict.WORSE:
        assert math.fsum(pair.least for pair in pairs) / len(pairs) > margin - CLOSE
    if verdict is Verdict.NO_WORSE:
        assert math.fsum(pair.most for pair in pairs) / len(pairs) < margin + CLOSE


@FEWER
@given(crowds(), TAILS, st.tuples(MARGINS, MARGINS).map(sorted))
def test_a_wider_margin_is_kinder(pairs: list[Pair], tail: float, margins: list[float]) -> None:
    """A wider margin never turns `no_worse` into anything else, nor anything else into `worse`."""
    found = paired_difference(pairs, tail)
    strict, kind = (decide(found, margin) for margin in margins)
    assert strict is not Verdict.NO_WORSE or kind is Verdict.NO_WORSE
    assert kind is not Verdict.WORSE or strict is Verdict.WORSE


@FEWER
@given(st.data(), TAILS, st.floats(0.001, 1))
def test_one_more_bad_repeat_never_clears(data: st.DataObject, tail: float, share: float) -> None:
    """One more bad repeat of the candidate, or a good or unknown one that turns bad, never makes a `worse` a `no_worse`."""
    pairs = data.draw(crowds())
    before = paired_difference(pairs, tail)
    assume(before.low > 0)
    at = data.draw(st.integers(0, len(pairs) - 1))
    now = pairs[at].candidate
    ways = [replace(now, bad=now.bad + 1)]
    ways += [replace(now, bad=now.bad + 1, good=now.good - 1)] if now.good else []
    ways += [replace(now, bad=now.bad + 1, unknown=now.unknown - 1)] if now.unknown else []
    margin = share * before.low * (1 - CLOSE)
    assert decide(before, margin) is Verdict.WORSE
    for way in ways:
        after = paired_difference([*pairs[:at], replace(pairs[at], candidate=way), *pairs[at + 1 :]], tail)
        assert decide(after, margin) is not Verdict.NO_WORSE


@LAW
@given(VERDICTS, st.sampled_from(Verdict))
def test_together_is_as_bad_as_its_worst(told: list[Verdict], more: Verdict) -> None:
    """In any order; `worse` stays so with whatever is added, and `no_worse` needs it of each."""
    assert together(told) is together(told[::-1])
    assert together(told) is not Verdict.WORSE or together([*told, more]) is Verdict.WORSE
    assert (together([*told, more]) is Verdict.NO_WORSE) == ({*told, more} == {Verdict.NO_WORSE})


@FEWER
@given(crowds(), TAILS, st.sampled_from([0.05, 0.1, 0.3]))
def test_items_needed_are_no_fewer_than_there_are(pairs: list[Pair], tail: float, margin: float) -> None:
    """The number is never below that of the known items, and with so many the gate decides."""
    needed = items_needed(pairs, margin, tail)
    known = known_differences(pairs)
    if needed is None:
        return
    low, high = changes(known).of(needed).ends(tail)
    assert needed >= len(known) > 0
    assert decide(Difference(value=None, low=low, high=high, items=needed, unknown=0), margin) is not (
        Verdict.CANNOT_TELL
    )


@LAW
@given(runs())
def test_sign_tests_of_both_directions(pairs: list[Pair]) -> None:
    """Both values lie in 0 to 1, and together are 1 and the chance of just this: no direction is rare without the other."""
    one, other = sign_test(pairs), sign_test(swapped(pairs))
    worse = sum((pair.difference or 0.0) > 0 for pair in pairs)
    changed = sum(bool(pair.difference) for pair in pairs)
    assert 0 < one <= 1
    assert one + other == pytest.approx(1 + math.comb(changed, worse) / 2**changed)


@LAW
@given(P_VALUES)
def test_holm_lies_between_the_value_and_bonferroni(p_values: dict[str, float]) -> None:
    """An adjusted value is at least p and at most min(1, number times p), but for a smaller one's adjusted value; and the order stays."""
    adjusted = holm(p_values)
    assert adjusted.keys() == p_values.keys()
    for name, p in p_values.items():
        least_known = [adjusted[each] for each in p_values if p_values[each] < p]
        assert p <= adjusted[name] <= max([min(1.0, len(p_values) * p), *least_known])
        assert all(adjusted[name] >= each for each in least_known)


@LAW
@given(P_VALUES.filter(bool), st.data())
def test_holm_is_monotone(p_values: dict[str, float], data: st.DataObject) -> None:
    """A greater value lowers none of the adjusted ones, and equal values have equal ones."""
    name = data.draw(st.sampled_from(sorted(p_values)))
    greater = p_values | {name: data.draw(st.floats(p_values[name], 1))}
    before, after = holm(p_values), holm(greater)
    assert all(after[each] >= before[each] for each in p_values)
    for name, p in p_values.items():
        assert {before[each] for each, other in p_values.items() if other == p} == {before[name]}
