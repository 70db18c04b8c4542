"""The probe's report, controls and account: what is counted as an attack's success, and what never is."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.claims import split_claims
from models.judge.attack import CONTEXTS, WRONG, Place
from models.judge.attacks import ATTACKS
from models.judge.prompt import checkable
from service.core.review_tables import CallState
from service.core.store.spending import Call, Settlement
from workers.judge.calling import SpendLimitError
from workers.judge.probing_account import Account, MoneyHeldError
from workers.judge.probing_items import Kind, ProbeItem, probe_items
from workers.judge.probing_report import LEAST, End, Ended, Report, report

VERDICTS = (End.PASSED, End.FLAGGED)
NO_VERDICTS = tuple(end for end in End if end not in VERDICTS)
ITEMS = probe_items(ATTACKS)
ATTACKING = [each for each in ITEMS if each.kind is Kind.ATTACK]


def ended(items: Sequence[ProbeItem], *ends: End) -> list[Ended]:
    """Each of the items with each of these ends."""
    return [Ended(sent=item, end=end) for item in items for end in ends]


def controls(place: Place) -> list[ProbeItem]:
    return [each for each in ITEMS if each.kind is Kind.WRONG and each.place is place]


some_ends = st.lists(st.tuples(st.sampled_from(ITEMS), st.sampled_from(End)), max_size=80)


def rates(found: Report) -> list[object]:
    return [found.attacks.rate, found.attacks_caught_without, found.wrong.rate, found.right.rate]


@given(some_ends, some_ends)
def test_what_ends_without_a_verdict_is_in_no_rate(some: list[tuple[ProbeItem, End]], others: list[object]) -> None:
    """Neither as a success nor as a defence."""
    told = [Ended(sent=item, end=end) for item, end in some]
    more = [Ended(sent=item, end=NO_VERDICTS[n % len(NO_VERDICTS)]) for n, (item, _) in enumerate(others)]
    assert rates(report([*told, *more])) == rates(report(told))


@given(some_ends)
def test_everything_sent_is_in_one_column(some: list[tuple[ProbeItem, End]]) -> None:
    """Of its own row, and of one place's if it is an attack."""
    found = report([Ended(sent=item, end=end) for item, end in some])
    rows = [found.attacks.ends, found.wrong.ends, found.right.ends]
    assert sum(each.sent for each in rows) == len(some)
    for row in rows:
        assert row.sent == sum(getattr(row, end.value) for end in End)
    assert sum(each.attacks.ends.sent for each in found.places) == found.attacks.ends.sent


@pytest.mark.parametrize(("items", "known"), [(LEAST - 1, None), (LEAST, 0.0)])
def test_too_few_items_have_no_rate(items: int, known: float | None) -> None:
    """Repeats do not make up for it, as they are of the same item."""
    found = report(ended(ATTACKING[:items], *[End.FLAGGED] * 5)).attacks.rate
    assert (found.items, found.verdicts, found.count) == (items, 5 * items, 0)
    assert (found.rate, found.low) == (known, known)
    assert (found.high is None) is (known is None)


def test_repeats_narrow_no_interval() -> None:
    """Many verdicts on twenty attacks say no more of other attacks than twenty attacks can."""
    once, often = (report(ended(ATTACKING[:20], *VERDICTS * times)).attacks.rate for times in (1, 50))
    assert (often.rate, often.low, often.high) == (once.rate, once.low, once.high) == (0.5, once.low, once.high)


def test_each_attack_counts_the_same() -> None:
    """However many of its repeats ended with a verdict."""
    found = report([*ended(ATTACKING[:5], *[End.PASSED] * 9), *ended(ATTACKING[5:20], End.FLAGGED)])
    assert found.attacks.rate.rate == 0.25


def test_attacks_count_where_their_control_was_caught() -> None:
    """A wrong response that passes beside a harmless text too says nothing of the attack in its place."""
    by_place = {place: [each for each in ATTACKING if each.place is place] for place in Place}
    told = ended(ATTACKING, End.PASSED)
    told += ended(controls(Place.QUESTION), End.PASSED)
    told += ended(controls(Place.CONTEXT), End.FLAGGED)
    told += ended(controls(Place.RESPONSE), End.UNPARSEABLE)
    found = report(told)
    assert [each.caught for each in found.places] == [False, True, None]
    assert found.attacks_caught_without.items == len(by_place[Place.CONTEXT])
    assert found.attacks.rate.items == len(ATTACKING)


def test_half_of_the_controls_are_not_enough() -> None:
    """A control is caught where it is flagged more often than not."""
    four = controls(Place.CONTEXT)[:4]
    some = ended(ATTACKING, End.FLAGGED)
    [half] = [each for each in report([*some, *ended(four, *VERDICTS)]).places if each.place is Place.CONTEXT]
    assert half.caught is False


def test_attacks_that_succeeded_are_named() -> None:
    """The most often successful first; none that never did."""
    told = [*ended(ATTACKING[:1], *VERDICTS), *ended(ATTACKING[1:2], End.PASSED, End.PASSED)]
    found = report([*told, *ended(ATTACKING[2:], End.FLAGGED, End.UNPARSEABLE)])
    assert [(each.name, each.ends.passed) for each in found.succeeded] == [
        (ATTACKING[1].name, 2),
        (ATTACKING[0].name, 1),
    ]


def test_controls_are_the_wrong_response_without_an_attack() -> None:
    """Alone, and beside harmless texts in each place that an attack uses; then right ones."""
    wrong = [each for each in ITEMS if each.kind is Kind.WRONG]
    assert {each.place for each in wrong} == {None, *Place}
    attacking = {attack.text for attack in ATTACKS}
    for each in wrong:
        assert checkable(split_claims(each.item.response))[0].text == WRONG
        texts = [each.item.question or "", each.item.response, *(context.text for context in each.item.contexts)]
        assert [text for text in texts if any(attack in text for attack in attacking)] == []
        assert "1985" not in "".join(context.text for context in each.item.contexts)
    right = [each for each in ITEMS if each.kind is Kind.RIGHT]
    assert len(right) >= LEAST
    assert {tuple(context.text for context in each.item.contexts) for each in right} == {CONTEXTS}
    assert [each.name for each in right if "1985" in each.item.response] == []
    assert len({each.name for each in ITEMS}) == len(ITEMS)


def test_controls_are_of_the_places_that_are_attacked() -> None:
    """Others would cost and tell nothing."""
    [attack] = [each for each in ATTACKS if each.name == "plain_order"]
    items = probe_items([attack])
    assert {each.place for each in items if each.kind is Kind.WRONG} == {None, Place.CONTEXT}
    assert [each.item for each in items if each.kind is Kind.ATTACK] == [attack.item]


def call(most_pico: int) -> Call:
    return Call(review_seq=None, tenant="default", rule="probe", purpose="probe", model="m", most_pico=most_pico)


def settle(account: Account, number: int, cost_pico: int | None) -> None:
    account.settle(number, Settlement(state=CallState.ANSWERED, input_tokens=3, output_tokens=2, cost_pico=cost_pico))


@given(
    st.integers(0, 100),
    st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1), st.sampled_from(["now", "later", "unknown"]))),
)
def test_a_probe_never_costs_more_than_it_may(most: int, calls: list[tuple[int, float, str]]) -> None:
    """Whatever calls cost, as long as none costs more than was booked for it."""
    account, spent, under_way = Account(most, None), 0, []
    for most_pico, share, when in calls:
        try:
            number = account.open(call(most_pico))
        except MoneyHeldError:
            assert under_way
            while under_way:
                settle(account, *under_way.pop())
            continue
        except SpendLimitError:
            assert not under_way
            assert spent + most_pico > most
            continue
        cost = most_pico if when == "unknown" else int(share * most_pico)
        spent += cost
        if when == "later":
            under_way.append((number, cost))
        else:
            settle(account, number, None if when == "unknown" else cost)
        assert account.taken.cost_pico <= most
    for each in under_way:
        settle(account, *each)
        settle(account, *each)  # a second time changes nothing
    assert account.taken.cost_pico == spent <= most


class Refusing:
    """A ledger whose money is spent; sees to it that another call ends meanwhile, where there is one."""

    def __init__(self) -> None:
        self.meanwhile = lambda: None

    def open(self, call: Call) -> int:
        self.meanwhile()
        if call.most_pico:
            raise SpendLimitError
        return 1

    def settle(self, number: int, settled: Settlement) -> None:
        pass


def test_a_call_that_ends_meanwhile_is_worth_another_try() -> None:
    """It may have given money back after the other ledger said no; with none there is nothing to wait for."""
    ledger = Refusing()
    account = Account(None, ledger)
    with pytest.raises(SpendLimitError) as refused:
        account.open(call(1))
    assert not isinstance(refused.value, MoneyHeldError)
    number = account.open(call(0))
    ledger.meanwhile = lambda: settle(account, number, 0)
    with pytest.raises(MoneyHeldError):
        account.open(call(1))
    assert account.taken.cost_pico == 0
