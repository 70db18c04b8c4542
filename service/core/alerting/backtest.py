"""A rule held against the past: how often, when and for how long it would have fired. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from service.core.alerting.change import Change, Held, changes
from service.core.alerting.machine import Event, Reading, Verdict
from service.core.alerting.reading import Group, group_readings, together
from service.core.alerting.rule import AlertRule, Metric
from service.core.rates import Question, make_buckets
from service.core.store.rates import Counted, ScoreRow, StateRow, Stretch, Unit
from service.core.store.rollups import SUMS, Sums

_StateKey = tuple[str, float]  # outcome and probability
_ScoreKey = tuple[str, float]  # fingerprint and probability


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A stretch of the past in buckets of one width: the rule is looked at after each."""

    stretch: Stretch
    counted: Counted
    first: int  # bucket after which the first look comes; those before it are in windows only

    @property
    def begin(self) -> datetime:
        """Of the first look's bucket."""
        return self.stretch.start + timedelta(seconds=self.first * self.stretch.width_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """What would have been opened, and when it would have been resolved."""

    event: Event
    group: Group
    start: datetime
    end: datetime | None
    reading: Reading


@dataclass(kw_only=True, slots=True)
class Replayed:
    """What came of it."""

    looks: int = 0
    judged: Counter[Verdict] = field(default_factory=Counter)  # looks at groups, by verdict
    incidents: list[Incident] = field(default_factory=list)


def replay(rule: AlertRule, segments: Sequence[Segment]) -> Replayed:
    """Runs the rule over segments that follow one another; an incident goes on from one to the next."""
    found = Replayed()
    held: list[Held] = []
    digest = rule.digest
    opened: dict[Group, tuple[Event, datetime, Reading]] = {}
    for segment in segments:
        for moment, read in _looks(rule, segment):
            changed = changes([rule], {rule.name: read}, held, _never, moment)
            found.looks += 1
            found.judged.update(change.verdict for change in changed)
            for change in changed:
                _note(found, opened, change, moment)
            held = [
                Held(rule=rule.name, group=change.group, rule_digest=digest, memory=change.memory)
                for change in changed
                if change.memory is not None
            ]
    for group, (event, start, reading) in opened.items():
        found.incidents.append(Incident(event=event, group=group, start=start, end=None, reading=reading))
    found.incidents.sort(key=lambda incident: (incident.start, incident.group))
    return found


def _never(rule: str, group: Mapping[str, str], /) -> bool:
    del rule, group
    return False


def _note(
    found: Replayed, opened: dict[Group, tuple[Event, datetime, Reading]], change: Change, moment: datetime
) -> None:
    told = change.told
    if told is None:
        return
    if told.event is Event.RESOLVED:
        event, start, reading = opened.pop(change.group)
        found.incidents.append(Incident(event=event, group=change.group, start=start, end=moment, reading=reading))
    elif change.group not in opened:
        opened[change.group] = (told.event, moment, change.reading)
    elif told.event is Event.FIRING:  # what was opened for want of data has become worse
        opened[change.group] = (told.event, opened[change.group][1], change.reading)


def _looks(rule: AlertRule, segment: Segment) -> Iterator[tuple[datetime, Mapping[Group, Reading]]]:
    """Each moment with the readings of every group that has anything in its window."""
    step = timedelta(seconds=segment.stretch.width_s)
    windows = [_Window(rule, segment, rule.window // step or 1)]
    if rule.short_window is not None:
        windows.append(_Window(rule, segment, rule.short_window // step or 1))
    size = int((segment.stretch.end - segment.stretch.start) / step)
    for bucket in range(size):
        for window in windows:
            window.move_to(bucket)
        if bucket >= segment.first:
            read = dict(windows[0].readings())
            if len(windows) > 1:
                recent = windows[1].readings()
                read = {group: replace(reading, short=recent.get(group)) for group, reading in read.items()}
            yield segment.stretch.start + (bucket + 1) * step, together(read)


class _Window:
    """Sums over the last so many buckets, kept as it moves; only groups that change are read again."""

    def __init__(self, rule: AlertRule, segment: Segment, width: int) -> None:
        self._rule = rule
        self._width = width
        self._question = Question(
            stretch=segment.stretch,
            unit=Unit.CLAIM if rule.metric is Metric.CLAIM_RATE else Unit.RESPONSE,
            confidence=rule.confidence,
            corrected=False,
        )
        self._states: dict[int, list[StateRow]] = defaultdict(list)
        self._scores: dict[int, list[ScoreRow]] = defaultdict(list)
        for state in segment.counted.states:
            self._states[state.bucket].append(state)
        for score in segment.counted.scores:
            self._scores[score.bucket].append(score)
        self._submissions: dict[Group, Counter[_StateKey]] = defaultdict(Counter)
        self._sums: dict[Group, dict[_ScoreKey, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._read: dict[Group, Reading] = {}

    def move_to(self, bucket: int) -> None:
        """Takes in a bucket and lets go of the one that falls out; buckets come one by one."""
        changed = self._add(bucket, 1) | self._add(bucket - self._width, -1)
        for group in changed:
            self._read_again(group)

    def readings(self) -> Mapping[Group, Reading]:
        """Of each group of which anything is in the window."""
        return self._read

    def _add(self, bucket: int, sign: int) -> set[Group]:
        for state in self._states.get(bucket, ()):
            self._submissions[state.group][state.outcome, state.inclusion_probability] += sign * state.submissions
        for score in self._scores.get(bucket, ()):
            sums = self._sums[score.group][score.fingerprint, score.inclusion_probability]
            for name in SUMS:
                sums[name] += sign * getattr(score.sums, name)
        rows = (*self._states.get(bucket, ()), *self._scores.get(bucket, ()))
        return {row.group for row in rows}

    def _read_again(self, group: Group) -> None:
        states = [
            StateRow(bucket=0, group=group, outcome=outcome, inclusion_probability=probability, submissions=number)
            for (outcome, probability), number in self._submissions[group].items()
            if number > 0
        ]
        if not states:
            self._read.pop(group, None)
            return
        scores = [
            ScoreRow(
                bucket=0,
                group=group,
                fingerprint=fingerprint,
                inclusion_probability=probability,
                sums=Sums(**{name: sums[name] for name in SUMS}),
            )
            for (fingerprint, probability), sums in self._sums[group].items()
            if sums["number"] > 0
        ]
        buckets = make_buckets(self._question, Counted(states=states, scores=scores))
        self._read[group] = group_readings(self._rule, buckets)[group]
