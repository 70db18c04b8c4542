"""The result of `assay bench statistics` about alerts, as its JSON holds it."""

from datetime import timedelta

from service.core.alerting.rule import AlertRule
from service.core.intervals import gamma_quantile
from workers.bench.results import Frozen, Machine

INDEPENDENT = "independent"
CLUSTERED = "sessions, known"
IGNORED = "sessions, not known"  # the same traffic, its responses judged as independent
PERIOD = 30.0  # days that firings are told of
MINUTE = timedelta(minutes=1)
_TAIL = 0.025


class Scene(Frozen):
    """One kind of traffic and the threshold it is held against."""

    threshold: float
    per_hour: int  # scored samples of each group, on average
    traffic: str = INDEPENDENT


class Setting(Frozen):
    """What of a rule keeps chance from firing it."""

    confidence: float
    for_minutes: int

    def rule(self, threshold: float) -> AlertRule:
        """The rule so set; all else as shipped."""
        return AlertRule.model_validate(
            _least(threshold) | {"confidence": self.confidence, "for": timedelta(minutes=self.for_minutes)}
        )


class Delays(Frozen):
    """Minutes from the jump of the rate to the firing, over many jumps; None: it took longer than was watched."""

    jumps: int
    fired: int
    p50: int | None
    p90: int | None
    p99: int | None


class Outcome(Frozen):
    """How one setting fared in one scene."""

    setting: Setting
    days: int  # simulated, of a rule with all its groups
    firings: int  # with the true rate below the threshold: each is false
    delays: Delays

    @property
    def per_period(self) -> float:
        """False firings in 30 days, of a rule."""
        return self.firings * PERIOD / self.days

    @property
    def interval(self) -> tuple[float, float]:
        """Of these, at 95%: Garwood's (1936) exact one, for firings that come as a Poisson process."""
        low = gamma_quantile(_TAIL, self.firings) if self.firings else 0.0
        high = gamma_quantile(1 - _TAIL, self.firings + 1)
        return low * PERIOD / self.days, high * PERIOD / self.days

    @property
    def run_length(self) -> float | None:
        """Days from one false firing to the next; None: there was none."""
        return self.days / self.firings if self.firings else None

    @property
    def reaches(self) -> bool | None:
        """Whether it fires less than once in 30 days; None: the interval holds one."""
        low, high = self.interval
        return None if low <= 1 <= high else high < 1


class SceneResult(Frozen):
    """All settings in one scene; they saw the same traffic."""

    scene: Scene
    outcomes: tuple[Outcome, ...]

    def of(self, setting: Setting) -> Outcome:
        """The outcome of that setting."""
        return next(each for each in self.outcomes if each.setting == setting)


class AlarmsResult(Frozen):
    """All scenes."""

    machine: Machine
    quick: bool
    seed: int
    groups: int  # of a rule
    below: float  # the true rate as a share of the threshold, where no firing is right
    above: float  # and where one is due
    hours: int  # watched after the jump
    shipped: Setting  # when it was measured
    scenes: tuple[SceneResult, ...]


def shipped_rule(threshold: float) -> AlertRule:
    """A rule that names what it must and leaves all else as shipped."""
    return AlertRule.model_validate(_least(threshold))


def _least(threshold: float) -> dict[str, object]:
    return {"name": "rate", "metric": "flagged_rate", "above": threshold}


def shipped() -> Setting:
    """The setting of such a rule."""
    rule = shipped_rule(0.5)
    return Setting(confidence=rule.confidence, for_minutes=rule.for_ // MINUTE)
