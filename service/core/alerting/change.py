"""What an evaluation changes: rules and readings of a tenant, held against what is remembered, to what follows. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from service.core.alerting.machine import Event, Memory, Reading, State, Step, Verdict, judge, step
from service.core.alerting.reading import WHOLE, Group
from service.core.alerting.rule import AlertRule

RULE_REMOVED = "rule_removed"
GROUP_GONE = "group_gone"  # nothing came of it in the whole window
NOTHING = Reading()

Key = tuple[str, Group]  # rule and group


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the database remembers of a rule and a group."""

    rule: str
    group: Group
    rule_digest: str
    memory: Memory


class Silenced(Protocol):
    """Whether a silence covers a rule's group at this moment."""

    def __call__(self, rule: str, group: Mapping[str, str], /) -> bool:
        """True: sinks are not told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An event that follows, for sinks or for the record."""

    event: Event
    since: datetime  # when the incident was opened
    silenced: bool
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What becomes of a rule and a group."""

    name: str
    group: Group
    rule: AlertRule | None  # None: it was removed
    verdict: Verdict
    reading: Reading
    memory: Memory | None  # None: nothing is left to remember
    told: Told | None = None


def changes(
    rules: Sequence[AlertRule],
    read: Mapping[str, Mapping[Group, Reading]],
    held: Sequence[Held],
    silenced: Silenced,
    now: datetime,
) -> list[Change]:
    """One change for each rule and group that is read or remembered.

    Args:
        rules: those in force for this tenant.
        read: readings by rule's name; a rule that is not in it could not be read, and is left as it is.
        held: what is remembered of this tenant.
        silenced: what must not be told.
        now: the time of the readings.
    """
    known: dict[str, list[Held]] = defaultdict(list)
    for each in held:
        known[each.rule].append(each)
    found: list[Change] = []
    for rule in rules:
        if rule.name in read:
            found += _of_rule(rule, read[rule.name], known[rule.name], silenced, now)
    in_force = {rule.name for rule in rules}
    found += [_removed(each) for each in held if each.rule not in in_force]
    return found


def _of_rule(
    rule: AlertRule, read: Mapping[Group, Reading], held: Sequence[Held], silenced: Silenced, now: datetime
) -> Iterator[Change]:
    digest = rule.digest
    memories = {each.group: _remembered(each, digest) for each in held}
    nothing_came = WHOLE in read and judge(rule, replace(read[WHOLE], short=None)) is Verdict.NO_DATA
    for group, reading in sorted(read.items()):
        memory, verdict = memories.pop(group, None) or Memory(since=now), judge(rule, reading)
        yield _change(rule, group, reading, verdict, memory, step(rule, memory, verdict, now), silenced, now)
    for group, memory in sorted(memories.items()):
        yield _absent(rule, group, memory, silenced, now, nothing_came=nothing_came)


def _remembered(held: Held, digest: str) -> Memory:
    if held.rule_digest == digest:
        return held.memory
    # Another rule by the same name goes on with its incident, and waits anew before it opens one.
    return replace(held.memory, bad_since=None, missing_since=None)


def _absent(
    rule: AlertRule, group: Group, memory: Memory, silenced: Silenced, now: datetime, *, nothing_came: bool
) -> Change:
    """A group of which nothing came: forgotten; with an open incident, resolved once it was quiet for long enough.

    Where nothing came of any group that says nothing of this one: its incident stays.
    """
    if memory.opened is None:
        return Change(name=rule.name, group=group, rule=rule, verdict=Verdict.NO_DATA, reading=NOTHING, memory=None)
    verdict = Verdict.NO_DATA if nothing_came and group != WHOLE else Verdict.GOOD
    keeping = step(rule, memory, verdict, now)
    change = _change(rule, group, NOTHING, Verdict.NO_DATA, memory, keeping, silenced, now)
    if keeping.event is not Event.RESOLVED or change.told is None:
        return change
    reason = GROUP_GONE if group != WHOLE else None
    return replace(change, memory=None, told=replace(change.told, reason=reason))


def _change(  # noqa: PLR0913, PLR0917 - the parts of one change
    rule: AlertRule,
    group: Group,
    reading: Reading,
    verdict: Verdict,
    before: Memory,
    after: Step,
    silenced: Silenced,
    now: datetime,
) -> Change:
    quiet = silenced(rule.name, dict(zip(rule.group_by, group, strict=False)))
    memory, told = after.memory, None
    match after.event:
        case None:
            if memory.opened is not None and _is_untold(memory) and not quiet:
                event = Event.NO_DATA if memory.state is State.NO_DATA else Event.FIRING
                memory = replace(memory, told=max(now, memory.since))
                told = Told(event=event, since=memory.opened or now, silenced=False)
        case Event.RESOLVED:
            # Whoever was told that it fires is told that it ends, silence or not; whoever was not, is not.
            told = Told(event=Event.RESOLVED, since=before.opened or now, silenced=before.told is None)
        case event if quiet:
            memory = replace(memory, told=before.told)
            # That it goes on is not written at each look of a silence: it is told after it.
            if before.opened is None or memory.state is not before.state:
                told = Told(event=event, since=memory.opened or now, silenced=True)
        case event:
            first = event is Event.STILL_FIRING and _is_untold(before)
            told = Told(event=Event.FIRING if first else event, since=memory.opened or now, silenced=False)
    return Change(name=rule.name, group=group, rule=rule, verdict=verdict, reading=reading, memory=memory, told=told)


def _is_untold(memory: Memory) -> bool:
    """Whether what was opened, or became worse, in a silence is still to be told."""
    return memory.told is None or (memory.state is State.FIRING and memory.told < memory.since)


def _removed(before: Held) -> Change:
    """A rule that is no more: its open incidents are resolved, and it is forgotten."""
    memory, told = before.memory, None
    if memory.opened is not None:
        told = Told(event=Event.RESOLVED, since=memory.opened, silenced=memory.told is None, reason=RULE_REMOVED)
    return Change(
        name=before.rule,
        group=before.group,
        rule=None,
        verdict=Verdict.NO_DATA,
        reading=NOTHING,
        memory=None,
        told=told,
    )
