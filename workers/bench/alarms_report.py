"""What `assay bench statistics` found of alerts, as a document."""

from collections.abc import Callable, Iterable, Sequence

from workers.bench.alarms_results import (
    INDEPENDENT,
    PERIOD,
    AlarmsResult,
    Delays,
    Outcome,
    Scene,
    SceneResult,
    Setting,
)
from workers.bench.markdown import rounded, section, table

HEADER = (
    "# How often alerts are wrong, and how soon they are right",
    "Written by `assay bench statistics`. Do not edit.",
)
ASKED = 300  # samples an hour of each group, for which the target is to be reached
SCENE = ("threshold", "samples / h", "traffic")
ANSWERS = {True: "yes", False: "**no**", None: "not known"}
NOT_COVERED = """**Not in it:**

- *A true rate that wanders.* Here it stands still, or jumps once. Where it follows the hours of the day or the questions
  that come in, it spends some of its time nearer to the threshold than its mean, and fires more often than these figures
  say; beyond the threshold it is no false alarm. Leave room between the usual rate and the threshold.
- *Unequal inclusion probabilities.* They leave fewer effective samples than there are samples: read the rows of fewer.
- *Responses that hang together unknown to Assay.* The rows `sessions, not known` show what it costs: they are those of
  traffic whose sessions nobody sends, or of more scored samples in a window than clusters are read for.
- *Sessions that last.* Here all responses of one come in the same minute.
- *Labels.* A rule on `hallucination_rate` has the chance of the labels in it too, the same ones for a long time.
- *The way there.* The delay begins with the first bad response and ends with the state `firing`; scoring, the time
  between two evaluations and the sink come on top."""


def alarms_document(result: AlarmsResult) -> str:
    """The whole document."""
    held = "\n".join(
        [_shipped(result), _derived(result), _least(result), _firings(result), _delays(result), NOT_COVERED]
    )
    return "\n\n".join([*HEADER, section("Alerts", result.machine, _text(result), held + "\n")])


def _text(result: AlarmsResult) -> str:
    days = [each.outcomes[0].days for each in result.scenes]
    jumps = [each.outcomes[0].delays.jumps for each in result.scenes]
    return (
        f"Samples come at random, {result.groups} groups a rule, seed {result.seed}; each is flagged with the true rate. Every "
        "minute the same code that runs (`estimate`, `judge`, `step`) reads the window of the last hour. *False*: the true "
        f"rate stays at {result.below:g} of the threshold, for {min(days):,} to {max(days):,} days; every firing of any group "
        f"counts. *Delay*: the rate jumps from there to {result.above:g} times the threshold, "
        f"{min(jumps):,} to {max(jumps):,} times; counted are the minutes until that group fires, and it is watched for "
        f"{result.hours} hours. Less is simulated of sessions than of the rest. Intervals are at 95%, as of a Poisson process. Sessions have four responses on "
        "average (geometric) and a correlation of 0.2; they are known to the estimate, or not.\n\n"
        f"The aim: a rule with {result.groups} groups fires falsely less than once in {PERIOD:.0f} days. It is reached (yes) "
        "or missed (no) where the interval lies on one side of it."
    )


def _scene(scene: Scene) -> list[str]:
    return [f"{scene.threshold:.0%}", f"{scene.per_hour:,}", scene.traffic]


def _named(setting: Setting) -> str:
    return f"{100 * setting.confidence:g}%, {setting.for_minutes}m"


def _shipped(result: AlarmsResult) -> str:
    head = [*SCENE, "false firings in 30 days", "days between two", "less than one", *_delay_head(result)]
    rows = []
    for each in result.scenes:
        found = each.of(result.shipped)
        rows.append(
            [*_scene(each.scene), _counted(found), _apart(found), ANSWERS[found.reaches], *_delay(found.delays, result)]
        )
    return f"**As shipped ({_named(result.shipped)}):**\n\n" + table(head, rows)


def _counted(found: Outcome) -> str:
    low, high = found.interval
    return f"{rounded(found.per_period)} ({rounded(low)} to {rounded(high)})"


def _apart(found: Outcome) -> str:
    """Days between two firings; with none, as many as are sure."""
    if found.run_length is None:
        return f"over {rounded(PERIOD / found.interval[1])}"
    return rounded(found.run_length)


def _delay_head(result: AlarmsResult) -> list[str]:
    return ["delay, median", "90%", "99%", f"not in {result.hours} h"]


def _delay(delays: Delays, result: AlarmsResult) -> list[str]:
    figures = [_minutes(each, result) for each in (delays.p50, delays.p90, delays.p99)]
    return [*figures, f"{1 - delays.fired / delays.jumps:.1%}"]


def _minutes(minutes: int | None, result: AlarmsResult) -> str:
    return f"over {result.hours} h" if minutes is None else f"{minutes} min"


def asked(result: AlarmsResult) -> list[SceneResult]:
    """The scenes in which the aim is to be reached."""
    return [each for each in result.scenes if each.scene.per_hour == ASKED and each.scene.traffic == INDEPENDENT]


def reaching(result: AlarmsResult) -> list[Setting]:
    """The settings that reach the aim at every threshold, the one that sees a jump soonest first."""
    scenes = asked(result)

    def median_delay(setting: Setting) -> int:
        return sum(each.of(setting).delays.p50 or result.hours * 60 for each in scenes)

    settings = (each.setting for each in scenes[0].outcomes)
    return sorted((each for each in settings if all(s.of(each).reaches for s in scenes)), key=median_delay)


def _derived(result: AlarmsResult) -> str:
    scenes = asked(result)
    head = ["confidence, `for`", "most false firings in 30 days", "days between two"]
    head += [f"delay at {each.scene.threshold:.0%}: median, 99%" for each in scenes]
    rows = []
    for setting in (result.shipped, *(each for each in reaching(result) if each != result.shipped)):
        worst = max((each.of(setting) for each in scenes), key=lambda found: found.per_period)
        name = _named(setting) + (" (shipped)" if setting == result.shipped else "")
        rows.append([name, _counted(worst), _apart(worst), *(_two(each.of(setting), result) for each in scenes)])
    return (
        f"**From the aim to `confidence` and `for`.** At {ASKED} independent samples an hour these settings are known to reach "
        f"the aim at every threshold, by the mean of the median delays; what is shipped {_whether(result)}.\n\n"
        + table(head, rows)
    )


def _whether(result: AlarmsResult) -> str:
    if result.shipped in reaching(result):
        return "is one of them"
    short = [f"{each.scene.threshold:.0%}" for each in asked(result) if not each.of(result.shipped).reaches]
    return f"is none of them, and stands above them (it is not known to reach it at {', '.join(short)})"


def _two(found: Outcome, result: AlarmsResult) -> str:
    return f"{_minutes(found.delays.p50, result)}, {_minutes(found.delays.p99, result)}"


def _least(result: AlarmsResult) -> str:
    """By `for`, the least confidence that reaches the aim."""
    waits = sorted({each.setting.for_minutes for each in result.scenes[0].outcomes})
    rows = []
    for each in result.scenes:
        good = [found.setting for found in each.outcomes if found.reaches]
        least = (min((s.confidence for s in good if s.for_minutes == wait), default=None) for wait in waits)
        rows.append([*_scene(each.scene), *("none" if found is None else f"{100 * found:g}%" for found in least)])
    head = [*SCENE, *(f"`for` {wait}m" for wait in waits)]
    return "**The least confidence that is known to reach the aim:**\n\n" + table(head, rows)


def _firings(result: AlarmsResult) -> str:
    title = "**False firings in 30 days / days between two, by confidence and `for`:**\n\n"
    return title + _by_setting(result.scenes, lambda found: f"{rounded(found.per_period)} / {_apart(found)}")


def _delays(result: AlarmsResult) -> str:
    title = "**Delay by confidence and `for`, median and 99%:**\n\n"
    return title + _by_setting(result.scenes, lambda found: _two(found, result))


def _by_setting(scenes: Iterable[SceneResult], told: Callable[[Outcome], str]) -> str:
    held = list(scenes)
    levels = sorted({each.setting.confidence for each in held[0].outcomes})
    rows = [row for each in held for row in _settings(each, levels, told)]
    return table([*SCENE, "`for`", *(f"{100 * level:g}%" for level in levels)], rows)


def _settings(scene: SceneResult, levels: Sequence[float], told: Callable[[Outcome], str]) -> list[list[str]]:
    waits = sorted({each.setting.for_minutes for each in scene.outcomes})
    found = {(each.setting.for_minutes, each.setting.confidence): told(each) for each in scene.outcomes}
    return [[*_scene(scene.scene), f"{wait}m", *(found[wait, level] for level in levels)] for wait in waits]
