"""False alarms and delays by simulation: the short way is the plain one, and the document says what was found."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from service.core.alerting.machine import Event, Memory, Verdict, step
from service.core.alerting.rule import AlertRule, Metric
from workers.bench import alarms
from workers.bench.alarms import SETTINGS, Plan, delays_of, fired, scenes, watch
from workers.bench.alarms_judge import START, Judge, spans, verdict_of
from workers.bench.alarms_report import alarms_document, reaching
from workers.bench.alarms_results import (
    CLUSTERED,
    IGNORED,
    INDEPENDENT,
    MINUTE,
    AlarmsResult,
    Delays,
    Outcome,
    Scene,
    SceneResult,
    Setting,
    shipped,
)
from workers.bench.alarms_windows import Windows, windows
from workers.bench.machine import describe_machine
from workers.cli import app

WIDTH = 60
USUAL = Setting(confidence=0.999, for_minutes=10)
STRICT = Setting(confidence=0.9999, for_minutes=10)
LOOSE = Setting(confidence=0.95, for_minutes=10)


def seen(scene: Scene, rate: float, minutes: int = 600, groups: int = 3, seed: int = 7) -> Windows:
    return windows(scene, groups, np.full(minutes + WIDTH - 1, rate), WIDTH, np.random.default_rng(seed))


def plain(rule: AlertRule, held: Windows, group: int) -> list[int]:
    """Every minute judged anew and stepped, one after the other."""
    memory, found = Memory(since=START), []
    for at in range(held.n.shape[1]):
        verdict = verdict_of(rule, int(held.n[group, at]), int(held.k[group, at]), held.clusters(group, at))
        taken = step(rule, memory, verdict, START + at * MINUTE)
        memory = taken.memory
        if taken.event is Event.FIRING:
            found.append(at)
    return found


def test_what_is_shipped() -> None:
    """A rule that says no more than it must has the setting that the document calls shipped; it is simulated."""
    rule = AlertRule(name="r", metric=Metric.FLAGGED_RATE, above=0.02)
    assert (rule.confidence, rule.for_, rule.window) == (0.9999, timedelta(minutes=10), timedelta(hours=1))
    assert (rule.on, rule.min_effective_n, rule.keep_firing_for) == ("bound", 30, timedelta(minutes=15))
    assert shipped() == STRICT
    assert shipped() in SETTINGS
    assert shipped().rule(0.02) == rule.model_copy(update={"name": "rate"})


def test_every_threshold_is_seen_at_every_size() -> None:
    """Four thresholds by three sizes, and sessions at one of them, known and not known."""
    held = scenes()
    assert len({each.model_dump_json() for each in held}) == len(held) == 20
    assert sum(each.traffic == INDEPENDENT for each in held) == 12


@pytest.mark.parametrize("traffic", [INDEPENDENT, CLUSTERED, IGNORED])
@pytest.mark.parametrize(("per_hour", "threshold"), [(300, 0.05), (30, 0.1), (4, 0.3)])
def test_leaving_minutes_out_changes_nothing(traffic: str, per_hour: int, threshold: float) -> None:
    """Firings are those of every minute judged and stepped, also where windows hold little or nothing."""
    scene = Scene(threshold=threshold, per_hour=per_hour, traffic=traffic)
    held = seen(scene, 1.6 * threshold)
    settings = [
        Setting(confidence=confidence, for_minutes=wait) for wait in (0, 10, 30) for confidence in (0.95, 0.999)
    ]
    judges = {each.confidence: Judge(each.rule(threshold)) for each in settings}
    found: dict[Setting, list[int]] = {each: [] for each in settings}
    for setting, times in fired(scene, held, judges, settings):
        found[setting] += times
    wanted = {each: [at for group in range(3) for at in plain(each.rule(threshold), held, group)] for each in settings}
    assert found == wanted
    assert per_hour != 300 or all(found[each] for each in settings if each.confidence == 0.95)


def test_what_may_be_bad_holds_all_that_is() -> None:
    """Independent samples turn bad first: sessions that are known, or too few samples, only take verdicts back."""
    scene = Scene(threshold=0.2, per_hour=60, traffic=CLUSTERED)
    held = seen(scene, 0.35)
    maybe = Judge(LOOSE.rule(0.2)).maybe_bad(held)
    bad = [
        (group, at)
        for group in range(3)
        for at in range(600)
        if verdict_of(LOOSE.rule(0.2), int(held.n[group, at]), int(held.k[group, at]), held.clusters(group, at))
        is Verdict.BAD
    ]
    assert bad
    assert all(maybe[place] for place in bad)
    assert maybe.sum() > len(bad)


def test_spans_are_where_a_long_row_may_begin() -> None:
    """Of a row of five minutes two may be the first of more than three; groups are apart."""
    maybe = np.array([[0, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 1]], dtype=bool)
    assert list(spans(maybe, 3)) == [(0, (1, 2))]
    assert list(spans(maybe, 0)) == [(0, (1, 5)), (1, (0, 2)), (1, (5, 5))]


def test_windows_slide() -> None:
    """Each holds the hour before it: one minute comes and one goes. Sessions bring their sums along."""
    held = seen(Scene(threshold=0.2, per_hour=300), 0.2, minutes=5_000)
    assert held.n.mean() == pytest.approx(300, rel=0.02)
    assert (held.k.sum() / held.n.sum()) == pytest.approx(0.2, rel=0.05)
    assert held.n.std() == pytest.approx(np.sqrt(300), rel=0.15)
    assert held.clusters(0, 0) is None
    known = seen(Scene(threshold=0.2, per_hour=300, traffic=CLUSTERED), 0.2, minutes=5_000)
    kk, km, mm, some, rest = known.sessions
    assert known.n.mean() == pytest.approx(300, rel=0.03)
    assert mm.sum() / known.n.sum() == pytest.approx(
        7, rel=0.05
    )  # sum of squares over sum of geometric sizes of mean 4
    assert (kk <= km).all()
    assert (km <= mm).all()
    assert (some + rest <= known.n).all()


def test_a_jump_is_in_the_windows_after_it() -> None:
    """The first window has one minute of the new rate, the sixtieth has nothing else."""
    rates = np.repeat([0.0, 1.0], [WIDTH - 1, 100])
    held = windows(Scene(threshold=0.2, per_hour=3_000), 5, rates, WIDTH, np.random.default_rng(1))
    assert (held.k[:, 0] < held.n[:, 0] / 20).all()
    assert (held.k[:, WIDTH - 1] == held.n[:, WIDTH - 1]).all()


def test_the_seed_decides() -> None:
    """The same scene and plan are the same result; shipped, chance fires less than at 95%, and a jump later."""
    scene, plan = Scene(threshold=0.05, per_hour=300), Plan(months=2, jumps=50, sessions=1, sessions_jumps=1, days=2)
    found = watch(scene, plan, (LOOSE, STRICT))
    assert found == watch(scene, plan, (LOOSE, STRICT))
    loose, strict = found.of(LOOSE), found.of(STRICT)
    assert loose.days == 4
    assert strict.firings < loose.firings
    assert loose.delays.p50 is not None
    assert strict.delays.p50 is not None
    assert 10 < loose.delays.p50 < strict.delays.p50 < 90


def test_what_never_fired_took_longer_than_any() -> None:
    """A percentile beyond what fired is not known."""
    assert delays_of([5, 7, 9], 4) == Delays(jumps=4, fired=3, p50=7, p90=None, p99=None)


def test_intervals_of_few_firings() -> None:
    """Garwood's, as tables have them; what is at one is neither reached nor missed."""
    none = Outcome(setting=USUAL, days=30, firings=0, delays=delays_of([], 1))
    assert none.interval == pytest.approx((0, 3.689), abs=1e-3)
    assert (none.reaches, none.run_length) == (None, None)
    assert none.model_copy(update={"firings": 10}).interval == pytest.approx((4.795, 18.39), abs=1e-2)
    assert none.model_copy(update={"firings": 10}).reaches is False
    assert none.model_copy(update={"days": 300}).reaches is True


def result_of(*, usual: int, strict: int) -> AlarmsResult:
    late = Delays(jumps=100, fired=98, p50=40, p90=60, p99=None)
    soon = late.model_copy(update={"p50": 30, "fired": 100, "p99": 55})
    scene = SceneResult(
        scene=Scene(threshold=0.02, per_hour=300),
        outcomes=(
            Outcome(setting=USUAL, days=300, firings=usual, delays=soon),
            Outcome(setting=STRICT, days=300, firings=strict, delays=late),
        ),
    )
    return AlarmsResult(
        machine=describe_machine(),
        quick=False,
        seed=1,
        groups=20,
        below=0.8,
        above=3,
        hours=24,
        shipped=USUAL,
        scenes=(scene,),
    )


def test_the_document_says_what_falls_short() -> None:
    """What is shipped misses the aim where its interval does, and stands above those that reach it."""
    result = result_of(usual=50, strict=2)
    text = alarms_document(result)
    assert reaching(result) == [STRICT]
    assert "| 2% | 300 | independent | 5 (3.71 to 6.59) | 6 | **no** | 30 min | 60 min | 55 min | 0.0% |" in text
    assert "what is shipped is none of them" in text
    assert "not known to reach it at 2%" in text
    assert "| 99.99%, 10m | 0.2 (0.0242 to 0.722) | 150 | 40 min, over 24 h |" in text
    assert "| 2% | 300 | independent | 99.99% |" in text
    assert "A true rate that wanders" in text


def test_the_document_says_what_is_reached() -> None:
    """Of those that reach the aim the one that sees a jump soonest is first."""
    result = result_of(usual=0, strict=0)
    assert reaching(result) == [USUAL, STRICT]
    text = alarms_document(result)
    assert "what is shipped is one of them" in text
    assert "0 (0 to 0.369) | over 81.3 | yes" in text


def test_alarms_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--only alarms` nothing is written of coverage; the file's folder is what counts."""
    monkeypatch.setattr(alarms, "bench_alarms", lambda *_: result_of(usual=1, strict=0))
    command = ["bench", "statistics", "--only", "alarms", "--json", str(tmp_path / "coverage.json")]
    ended = CliRunner().invoke(app, [*command, "--doc", str(tmp_path / "coverage.md")])
    assert ended.exit_code == 0, ended.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alarms.json", "alarms.md"]
    held = AlarmsResult.model_validate_json((tmp_path / "alarms.json").read_text(encoding="utf-8"))
    assert held == result_of(usual=1, strict=0).model_copy(update={"machine": held.machine})
