"""The state machine of one rule and one group: a reading and a moment in, the new state and what to tell out."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from service.core.alerting.rule import POINT_ONLY, AlertRule, NoData


class State(StrEnum):
    """Of a rule and a group."""

    OK = "ok"
    PENDING = "pending"  # bad, but not for long enough
    FIRING = "firing"
    RESOLVED = "resolved"  # ok, after it fired
    NO_DATA = "no_data"  # nothing to judge
    LOW_COVERAGE = "low_coverage"  # too little of it to judge


class Verdict(StrEnum):
    """What one reading means by a rule."""

    BAD = "bad"
    GOOD = "good"
    NO_DATA = "no_data"
    LOW_COVERAGE = "low_coverage"


class Event(StrEnum):
    """What sinks are told."""

    FIRING = "firing"
    STILL_FIRING = "still_firing"
    NO_DATA = "no_data"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What was measured. None: unknown, which is never zero."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    effective_n: float | None = None  # None: there is nothing; with no value: there is something, and too little
    coverage: float | None = None  # share of what should be scored that is
    short: "Reading | None" = None  # over the rule's `short_window`; None: nothing came in it, or it has none


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What is remembered of a rule and a group."""

    state: State = State.OK
    since: datetime  # of the state
    bad_since: datetime | None = None  # of an unbroken row of bad readings
    missing_since: datetime | None = None  # of an unbroken row without data
    last_bad: datetime | None = None
    opened: datetime | None = None  # of the incident that sinks were told of and that is not resolved
    told: datetime | None = None  # when they were told last


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What follows from a reading."""

    memory: Memory
    event: Event | None = None


def judge(rule: AlertRule, reading: Reading) -> Verdict:
    """Bad only where it can be said: the interval's nearer end is beyond the threshold, over enough of the traffic.

    With a short window it must be so in both; where the short one says nothing, it is not known whether it goes on.
    """
    verdict = _judge_one(rule, reading)
    if verdict is not Verdict.BAD or rule.short_window is None:
        return verdict
    recent = _judge_one(rule, reading.short or Reading())
    return Verdict.LOW_COVERAGE if recent is Verdict.NO_DATA else recent


def _judge_one(rule: AlertRule, reading: Reading) -> Verdict:
    if reading.value is None:
        return Verdict.NO_DATA if reading.effective_n is None else Verdict.LOW_COVERAGE
    if rule.metric not in POINT_ONLY:
        if reading.effective_n is None or reading.effective_n < rule.min_effective_n:
            return Verdict.LOW_COVERAGE
        if reading.coverage is None or reading.coverage < rule.min_coverage:
            return Verdict.LOW_COVERAGE
    above = rule.above is not None
    held = (reading.low if above else reading.high) if rule.by_bound else reading.value
    if held is None:
        return Verdict.LOW_COVERAGE
    return Verdict.BAD if (held > rule.threshold if above else held < rule.threshold) else Verdict.GOOD


def step(rule: AlertRule, memory: Memory, verdict: Verdict, now: datetime) -> Step:
    """The next state.

    An incident is opened once, by `firing` or `no_data`, and closed once, by `resolved`, when readings have been good
    for `keep_firing_for`. Readings that say nothing neither open it, but for `no_data = "notify"`, nor close it.
    """
    match verdict:
        case Verdict.BAD:
            return _bad(rule, memory, now)
        case Verdict.GOOD:
            return _good(rule, memory, now)
        case Verdict.NO_DATA:
            return _missing(rule, memory, now)
        case Verdict.LOW_COVERAGE:
            return _little(rule, memory, now)


def _little(rule: AlertRule, memory: Memory, now: datetime) -> Step:
    known = _to(replace(memory, bad_since=None, missing_since=None), State.LOW_COVERAGE, now)
    if memory.opened is None:
        return Step(memory=known)
    if memory.state is State.NO_DATA:  # there is something again, so what was told is over
        return Step(memory=replace(known, opened=None, told=None, last_bad=None), event=Event.RESOLVED)
    return _again(rule, replace(memory, bad_since=None, missing_since=None), now)


def _bad(rule: AlertRule, memory: Memory, now: datetime) -> Step:
    since = memory.bad_since or now
    known = replace(memory, bad_since=since, missing_since=None, last_bad=now)
    if memory.state is State.FIRING:
        return _again(rule, known, now)
    if now - since < rule.for_:
        # An incident for want of data stays what it is until it is known to be worse.
        return Step(memory=known if memory.opened else _to(known, State.PENDING, now))
    fired = replace(_to(known, State.FIRING, now), opened=memory.opened or now, told=now)
    return Step(memory=fired, event=Event.FIRING)


def _good(rule: AlertRule, memory: Memory, now: datetime) -> Step:
    known = replace(memory, bad_since=None, missing_since=None)
    if memory.opened is None:
        return Step(memory=known if memory.state is State.RESOLVED else _to(known, State.OK, now))
    if memory.last_bad is not None and now - memory.last_bad < rule.keep_firing_for:
        return _again(rule, known, now)
    closed = replace(_to(known, State.RESOLVED, now), opened=None, told=None, last_bad=None)
    return Step(memory=closed, event=Event.RESOLVED)


def _missing(rule: AlertRule, memory: Memory, now: datetime) -> Step:
    since = memory.missing_since or now
    known = replace(memory, bad_since=None, missing_since=since)
    if rule.no_data is NoData.OK:
        return _good(rule, known, now)
    if rule.no_data is NoData.KEEP or memory.state is State.FIRING:
        return _again(rule, known, now) if memory.opened else Step(memory=known)
    missing = _to(known, State.NO_DATA, now)
    if memory.opened is not None:
        return _again(rule, missing, now)
    if now - since < rule.for_:
        return Step(memory=missing)
    return Step(memory=replace(missing, opened=now, told=now), event=Event.NO_DATA)


def _again(rule: AlertRule, memory: Memory, now: datetime) -> Step:
    """An open incident goes on: sinks hear of it again, but not often."""
    if rule.renotify is None or memory.told is None or now - memory.told < rule.renotify:
        return Step(memory=memory)
    event = Event.NO_DATA if memory.state is State.NO_DATA else Event.STILL_FIRING
    return Step(memory=replace(memory, told=now), event=event)


def _to(memory: Memory, state: State, now: datetime) -> Memory:
    return memory if memory.state is state else replace(memory, state=state, since=now)
