"""Laws of what evaluations change: whoever was told that it fires is told of its end, once, whatever becomes of rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from service.core.alerting.change import NOTHING, Change, Held, changes
from service.core.alerting.machine import Event, Memory, Reading
from service.core.alerting.reading import WHOLE, Group
from service.core.alerting.rule import AlertRule, NoData
from tests.property.strategies import LAW

T0 = datetime(2026, 11, 1, tzinfo=UTC)
BAD = Reading(value=0.9, low=0.8, high=1.0, effective_n=100.0, coverage=1.0)
GOOD = Reading(value=0.0, low=0.0, high=0.1, effective_n=100.0, coverage=1.0)
FEW = Reading(value=0.9, low=0.8, high=1.0, effective_n=1.0, coverage=1.0)
NAMES = ("one", "two")
GROUPS: tuple[Group, ...] = (("a",), ("b",))
Spot = tuple[str, Group]


@st.composite
def variants(draw: st.DrawFn, name: str) -> AlertRule:
    """A rule by that name; another draw is the rule as somebody changed it."""
    return AlertRule.model_validate(
        {
            "name": name,
            "metric": "flagged_rate",
            "above": 0.1,
            "group_by": ["route"],
            "min_effective_n": draw(st.integers(2, 3)),  # so that digests differ
            "for": timedelta(minutes=draw(st.integers(0, 2))),
            "keep_firing_for": timedelta(minutes=draw(st.integers(0, 2))),
            "renotify": timedelta(minutes=draw(st.integers(1, 9))),
            "no_data": draw(st.sampled_from(["notify", "keep", "ok"])),
        }
    )


@st.composite
def look(draw: st.DrawFn) -> tuple[int, list[AlertRule], Mapping[str, Mapping[Group, Reading]], bool]:
    """Minutes passed, the rules in force, what was read of them, and whether there is a silence of everything."""
    rules = [draw(variants(name)) for name in NAMES if draw(st.integers(0, 9))]
    read = {}
    for rule in rules:
        groups = {
            group: draw(st.sampled_from([BAD, BAD, GOOD, FEW, NOTHING])) for group in GROUPS if draw(st.booleans())
        }
        if draw(st.integers(0, 9)):  # else it could not be read
            read[rule.name] = groups or {WHOLE: NOTHING}
    return draw(st.integers(1, 3)), rules, read, draw(st.integers(0, 3)) == 0


LOOKS = st.lists(look(), max_size=30)
STEADY_RULE = variants("one")


def never(_rule: str, _group: Mapping[str, str], /, *, quiet: bool = False) -> bool:
    return quiet


@dataclass
class Run:
    """What is remembered, and what was told."""

    held: dict[Spot, Held] = field(default_factory=dict)
    told: list[tuple[datetime, Spot, Event, bool]] = field(default_factory=list)  # last: silenced

    def look(
        self,
        rules: list[AlertRule],
        read: Mapping[str, Mapping[Group, Reading]],
        now: datetime,
        *,
        quiet: bool = False,
    ) -> list[Change]:
        found = changes(rules, read, list(self.held.values()), partial(never, quiet=quiet), now)
        for change in found:
            spot = (change.name, change.group)
            if change.told:
                self.told.append((now, spot, change.told.event, change.told.silenced))
            self.held.pop(spot, None)
            if change.memory is not None:
                assert change.rule is not None
                self.held[spot] = Held(
                    rule=change.name, group=change.group, rule_digest=change.rule.digest, memory=change.memory
                )
        return found

    def memory(self, spot: Spot) -> Memory | None:
        return self.held[spot].memory if spot in self.held else None


@LAW
@given(LOOKS)
def test_whoever_was_told_is_told_of_the_end_once(
    looks: list[tuple[int, list[AlertRule], Mapping[str, Mapping[Group, Reading]], bool]],
) -> None:
    """Of each rule and group: openings and ends come in turn; an end is told if and only if something else was."""
    run, now = Run(), T0
    for minutes, rules, read, quiet in looks:
        now += timedelta(minutes=minutes)
        run.look(rules, read, now, quiet=quiet)
    opened: set[Spot] = set()
    told: set[Spot] = set()
    for _, spot, event, silenced in run.told:
        if event is Event.RESOLVED:
            assert spot in opened
            assert silenced is (spot not in told)
            opened.remove(spot)
            told.discard(spot)
        else:
            opened.add(spot)
            if not silenced:
                told.add(spot)
    assert {spot for spot, held in run.held.items() if held.memory.opened is not None} == opened


@LAW
@given(LOOKS)
def test_a_silence_is_kept(
    looks: list[tuple[int, list[AlertRule], Mapping[str, Mapping[Group, Reading]], bool]],
) -> None:
    """Nothing but ends is told in it, and that something goes on is not even written; after it, what is open is told."""
    run, now = Run(), T0
    for minutes, rules, read, quiet in looks:
        now += timedelta(minutes=minutes)
        before, seen = dict(run.held), len(run.told)
        found = run.look(rules, read, now, quiet=quiet)
        for _, spot, event, silenced in run.told[seen:]:
            if quiet and event is not Event.RESOLVED:
                assert silenced
                was = before[spot].memory if spot in before else None
                now_is = run.memory(spot)
                assert now_is is not None
                assert was is None or was.opened is None or was.state is not now_is.state
            assert event is not Event.STILL_FIRING or not quiet
        for change in found:
            if not quiet and change.memory is not None and change.memory.opened is not None:
                assert change.memory.told is not None


@LAW
@given(LOOKS)
def test_removed_rules_leave_nothing(
    looks: list[tuple[int, list[AlertRule], Mapping[str, Mapping[Group, Reading]], bool]],
) -> None:
    """One look after all rules are gone, nothing is remembered, and the next has nothing to say."""
    run, now = Run(), T0
    for minutes, rules, read, quiet in looks:
        now += timedelta(minutes=minutes)
        run.look(rules, read, now, quiet=quiet)
        in_force = {rule.name for rule in rules}
        assert {spot[0] for spot in run.held} <= in_force
    run.look([], {}, now)
    assert run.held == {}
    assert run.look([], {}, now) == []


@LAW
@given(LOOKS)
def test_a_rule_that_could_not_be_read_stays_as_it_is(
    looks: list[tuple[int, list[AlertRule], Mapping[str, Mapping[Group, Reading]], bool]],
) -> None:
    """Neither forgotten nor told of."""
    run, now = Run(), T0
    for minutes, rules, read, quiet in looks:
        now += timedelta(minutes=minutes)
        unread = {rule.name for rule in rules} - set(read)
        before = {spot: held for spot, held in run.held.items() if spot[0] in unread}
        seen = len(run.told)
        run.look(rules, read, now, quiet=quiet)
        assert {spot: held for spot, held in run.held.items() if spot[0] in unread} == before
        assert not [spot for _, spot, _, _ in run.told[seen:] if spot[0] in unread]


@LAW
@given(LOOKS, st.integers(1, 10_000))
def test_a_clock_set_back_raises_nothing(
    looks: list[tuple[int, list[AlertRule], Mapping[str, Mapping[Group, Reading]], bool]], back: int
) -> None:
    """Nothing is told again for it: whatever was told of an open incident is not told anew at the next looks."""
    run, now = Run(), T0
    for minutes, rules, read, quiet in looks:
        now += timedelta(minutes=minutes)
        run.look(rules, read, now, quiet=quiet)
    now -= timedelta(minutes=back)
    rules = [held for _, held, _, _ in looks[-1:] for held in held]
    read = looks[-1][2] if looks else {}
    run.look(rules, read, now)
    seen = len(run.told)
    for _ in range(3):
        run.look(rules, read, now)
    assert run.told[seen:] == []


@LAW
@given(STEADY_RULE, st.integers(0, 5), st.integers(1, 5), st.booleans())
def test_what_began_in_a_silence_is_told_after_it(rule: AlertRule, before: int, during: int, lacking: bool) -> None:  # noqa: FBT001 - drawn
    """Whether it opens then, or was opened for want of data and becomes worse: `firing` is told right after."""
    run, now, group = Run(), T0, ("a",)
    rule = rule.model_copy(update={"for_": timedelta(0), "no_data": NoData.NOTIFY})
    for _ in range(before):
        now += timedelta(minutes=1)
        run.look([rule], {"one": {group: NOTHING if lacking else GOOD}}, now)
    for _ in range(during):
        now += timedelta(minutes=1)
        run.look([rule], {"one": {group: BAD}}, now, quiet=True)
    assert [silenced for _, _, event, silenced in run.told if event is Event.FIRING] == [True]
    now += timedelta(minutes=1)
    run.look([rule], {"one": {group: BAD}}, now)
    assert [silenced for _, _, event, silenced in run.told if event is Event.FIRING] == [True, False]
