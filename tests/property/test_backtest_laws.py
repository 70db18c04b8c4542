"""Laws of backtests: a replay finds exactly the incidents that looks at the same moments would have opened and closed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.core.alerting.backtest import Segment, replay
from service.core.alerting.change import Held, changes
from service.core.alerting.machine import Event
from service.core.alerting.reading import readings
from service.core.alerting.rule import AlertRule
from service.core.rates import Question, make_buckets
from service.core.store.rates import Counted, ScoreRow, StateRow, Stretch, Unit
from service.core.store.rollups import Sums
from service.core.tables import Outcome, State
from tests.property.strategies import LAW

T0 = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Opened = tuple[Event, tuple[str, ...], datetime, datetime | None]
GROUPS = st.sampled_from(["", "a", "b"])
SHARES = st.sampled_from([0.1, 0.5, 1.0])


@st.composite
def rules(draw: st.DrawFn) -> AlertRule:
    window = draw(st.integers(1, 6))
    grouped = draw(st.booleans())
    return AlertRule.model_validate(
        {
            "name": "r",
            "metric": draw(st.sampled_from(["flagged_rate", "claim_rate", "unscored_share"])),
            draw(st.sampled_from(["above", "below"])): 0.3,
            "on": draw(st.sampled_from(["bound", "point"])),
            "confidence": 0.5,
            "min_effective_n": draw(st.integers(1, 8)),
            "group_by": ("route",) if grouped else (),
            "window": timedelta(minutes=window),
            "short_window": timedelta(minutes=draw(st.integers(1, window - 1)))
            if window > 1 and draw(st.booleans())
            else None,
            "for": timedelta(minutes=draw(st.integers(0, 3))),
            "keep_firing_for": timedelta(minutes=draw(st.integers(0, 3))),
            "no_data": draw(st.sampled_from(["notify", "keep", "ok"])),
        }
    )


@st.composite
def traffic(draw: st.DrawFn, rule: AlertRule, size: int) -> Counted:
    """What became of submissions, bucket by bucket; often nothing came of a group, or of any."""
    states: list[StateRow] = []
    scores: list[ScoreRow] = []
    for bucket in draw(st.sets(st.integers(0, size - 1), max_size=size)):
        name = draw(GROUPS)
        place = {"bucket": bucket, "group": (name,) if rule.group_by else (), "inclusion_probability": draw(SHARES)}
        scored = draw(st.integers(0, 12))
        others = draw(st.integers(0, 5))
        for outcome, number in (
            (State.SCORED, scored + others),
            (State.UNSCORED, draw(st.integers(0, 4))),
            (Outcome.SAMPLED_OUT, draw(st.integers(0, 4))),
        ):
            if number:
                states.append(StateRow(outcome=outcome, submissions=number, **place))
        for fingerprint, number in (("f1", scored), ("f2", others)):
            if number:
                scores.append(
                    ScoreRow(fingerprint=fingerprint, sums=_sums(number, draw(st.integers(0, number))), **place)
                )
    return Counted(states=states, scores=scores)


def _sums(number: int, flagged: int) -> Sums:
    return Sums(
        number=number,
        flagged=flagged,
        claims=2 * number,
        claims_flagged=flagged,
        claims_squares=4 * number,
        claims_flagged_squares=flagged,
        claims_products=2 * flagged,
        some_flagged=flagged,
        some_clean=number,
    )


@st.composite
def pasts(draw: st.DrawFn) -> tuple[AlertRule, list[Segment]]:
    """A rule, and one or two segments that follow one another, each with a full window before its first look."""
    rule = draw(rules())
    first = rule.window // MINUTE - 1
    segments, start = [], T0
    for _ in range(draw(st.integers(1, 2))):
        size = first + draw(st.integers(1, 25))
        stretch = Stretch(
            tenant="t", start=start, end=start + size * MINUTE, width_s=60, group_by=rule.group_by, match=rule.matching
        )
        segments.append(Segment(stretch=stretch, counted=draw(traffic(rule, size)), first=first))
        start = stretch.end - first * MINUTE  # the next one's window reaches back
    return rule, segments


def windowed(segment: Segment, last: int, width: int) -> Counted:
    """What lies in the last so many buckets, as one."""
    within = range(last - width + 1, last + 1)
    return Counted(
        states=[replace(row, bucket=0) for row in segment.counted.states if row.bucket in within],
        scores=[replace(row, bucket=0) for row in segment.counted.scores if row.bucket in within],
    )


def looked_at(rule: AlertRule, segments: Sequence[Segment]) -> tuple[int, Counter[str], list[Opened]]:
    """Looks, verdicts and incidents, each look made by reading its whole window anew."""
    held: list[Held] = []
    open_since: dict[tuple[str, ...], tuple[Event, datetime]] = {}
    looks, verdicts, found = 0, Counter[str](), []
    for segment in segments:
        size = (segment.stretch.end - segment.stretch.start) // MINUTE
        for last in range(segment.first, size):
            now = segment.stretch.start + (last + 1) * MINUTE
            read = {}
            windows = [rule.window, *([rule.short_window] if rule.short_window else [])]
            for window in reversed(windows):
                stretch = replace(segment.stretch, start=now - window, end=now, width_s=int(window.total_seconds()))
                unit = Unit.CLAIM if rule.metric == "claim_rate" else Unit.RESPONSE
                question = Question(stretch=stretch, unit=unit, confidence=rule.confidence)
                said = readings(rule, make_buckets(question, windowed(segment, last, window // MINUTE)))
                read = {group: replace(reading, short=read.get(group)) for group, reading in said.items()}
            changed = changes([rule], {"r": read}, held, lambda _rule, _group: False, now)
            looks += 1
            verdicts.update(change.verdict.value for change in changed)
            for change in changed:
                if change.told is None:
                    continue
                match change.told.event:
                    case Event.RESOLVED:
                        found.append((*_opening(change.group, open_since.pop(change.group)), now))
                    case Event.FIRING | Event.NO_DATA as event:
                        open_since[change.group] = (event, open_since.get(change.group, (event, now))[1])
                    case Event.STILL_FIRING:
                        pass
            held = [
                Held(rule="r", group=change.group, rule_digest=rule.digest, memory=change.memory)
                for change in changed
                if change.memory
            ]
    found += [(*_opening(group, opened), None) for group, opened in open_since.items()]
    return looks, verdicts, found


def _opening(group: tuple[str, ...], opened: tuple[Event, datetime]) -> tuple[Event, tuple[str, ...], datetime]:
    return opened[0], group, opened[1]


@LAW
@given(pasts())
def test_a_replay_is_as_looks_at_the_same_moments(past: tuple[AlertRule, list[Segment]]) -> None:
    """Sums that are kept as the window moves say what reading each window anew says: no incident more, none less."""
    rule, segments = past
    looks, verdicts, expected = looked_at(rule, segments)
    found = replay(rule, segments)
    assert found.looks == looks
    assert Counter({verdict.value: count for verdict, count in found.judged.items()}) == verdicts
    told = [(each.event, each.group, each.start, each.end) for each in found.incidents]
    assert sorted(told, key=str) == sorted(expected, key=str)
    assert [each.start for each in found.incidents] == sorted(each.start for each in found.incidents)


@LAW
@given(pasts())
def test_incidents_of_a_group_do_not_overlap(past: tuple[AlertRule, list[Segment]]) -> None:
    """Each ends before the next begins, and none ends before it has begun."""
    rule, segments = past
    until: dict[tuple[str, ...], datetime | None] = {}
    for incident in replay(rule, segments).incidents:
        before = until.get(incident.group, T0)
        assert before is not None
        assert incident.start >= before
        assert incident.end is None or incident.end >= incident.start
        until[incident.group] = incident.end
