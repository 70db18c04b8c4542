"""Signals of a submission, and what a budget leaves of a rate."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.budget import Spent, allowed_scale, lowered
from service.core.errors import PolicyInvalidError
from service.core.policy import Policy, Signals, Spending, parse_policy
from service.core.signals import Situation, signal_fields
from service.sampling import Choice, Reason, decide
from tests.property.strategies import LAW
from tests.unit.service.support import body, parsed

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
TABLE = Signals(new_release_hours=24, long_response_chars=50, low_retrieval_score=0.5)
SIGNALS = """
[sampling]
rate = 0.0
[[sampling.rules]]
name = "risky"
rate = 1.0
signals = ["digits", "low_retrieval"]
[[sampling.rules]]
name = "new-support"
rate = 0.5
signals = ["new_release"]
match = { route = "support" }
"""
BUDGET = """
[sampling]
rate = 0.4
[sampling.budget]
samples = 100
per = "hour"
floor = 0.01
tenants = { big = { cost = 3.0, cost_per_sample = 0.002, per = "day" } }
"""


def speaking(known: Situation = Situation(), **fields: object) -> set[str]:  # noqa: B008 - frozen
    """The signals of a submission of the tenant `t`."""
    found = signal_fields(parsed(body(**fields)), "t", known, TABLE, NOW)
    return {name.removeprefix("signal.") for name in found}


class TestSignals:
    def test_a_plain_answer_has_none(self) -> None:
        """Short, without digits, release or scores: no signal."""
        assert speaking(response="It is blue.") == set()

    def test_of_the_response(self) -> None:
        """Its digits and its length."""
        assert speaking(response="It takes 30 days.") == {"digits"}
        assert speaking(response="x" * 50) == {"long_response"}

    @pytest.mark.parametrize(
        ("scores", "low"), [([0.4, 0.49], True), ([0.1, 0.5], False), ([None], False), ([], False), ([None, 0.2], True)]
    )
    def test_of_the_retrieval(self, scores: list[float | None], low: bool) -> None:  # noqa: FBT001 - expected
        """Low if scores were given and the best is low; without scores nothing is known."""
        contexts = [{"text": "a", "score": score} for score in scores]
        assert (speaking(response="a", contexts=contexts) == {"low_retrieval"}) is low

    @pytest.mark.parametrize(("age_h", "new"), [(None, True), (1, True), (23.9, True), (24, False), (500, False)])
    def test_of_the_release(self, age_h: float | None, new: bool) -> None:  # noqa: FBT001 - expected
        """New for so many hours from when it was first seen by this tenant; unseen is new."""
        first = {} if age_h is None else {("t", "r"): NOW - timedelta(hours=age_h)}
        other = {("other", "r"): NOW - timedelta(days=99)}
        assert (speaking(Situation(first_seen=first | other), response="a", release="r") == {"new_release"}) is new

    def test_of_feedback(self) -> None:
        """On the trace, the session or the id; another tenant's is none of it."""
        known = Situation(disliked=frozenset({("t", "x"), ("other", "y")}))
        for name in ("trace_id", "session_id", "id"):
            assert speaking(known, response="a", **{name: "x"}) == {"negative_feedback"}
            assert speaking(known, response="a", **{name: "y"}) == set()

    def test_rules_with_signals(self) -> None:
        """Any of a rule's signals matches it, together with its fields; the first rule decides."""
        policy = parse_policy(SIGNALS)
        assert policy.stratum({"signal.digits": "true"}) == ("risky", 1.0)
        assert policy.stratum({"signal.new_release": "true"}) == ("default", 0.0)
        assert policy.stratum({"signal.new_release": "true", "route": "support"}) == ("new-support", 0.5)

    def test_clients_do_not_decide_what_only_the_sidecar_knows(self) -> None:
        """With signals or a budget clients send everything."""
        assert Policy().clients_decide
        assert not parse_policy(SIGNALS).clients_decide
        assert not parse_policy(BUDGET).clients_decide

    def test_what_is_not_said_changes_no_version(self) -> None:
        """A policy of before signals and budgets has the version that it had."""
        assert Policy().version == "e9475ae478ef"
        spelled = parse_policy("[sampling]\nrules = []\n[sampling.signals]\nlong_response_chars = 2000\n")
        assert spelled.version == Policy().version
        assert parse_policy(SIGNALS).version != parse_policy(SIGNALS.replace("digits", "long_response")).version


class TestBudget:
    def test_of_a_tenant(self) -> None:
        """A tenant's own budget takes the place of the common one; money is as many samples as it pays for."""
        budget = parse_policy(BUDGET).sampling.budget
        assert budget is not None
        assert (budget.of("small").most, budget.of("small").period_s) == (100, 3_600)
        assert (budget.of("big").most, budget.of("big").period_s) == (pytest.approx(1_500), 86_400)

    @pytest.mark.parametrize(
        "text",
        [
            'per = "hour"',
            'samples = 1\ncost = 1.0\ncost_per_sample = 1.0\nper = "hour"',
            'cost = 1.0\nper = "hour"',
            'samples = 0\nper = "hour"',
            'samples = 1\nper = "week"',
            "samples = 1",
            'samples = 1\nper = "day"\nfloor = 2.0',
        ],
    )
    def test_half_a_budget_is_refused(self, text: str) -> None:
        """The field is named."""
        with pytest.raises(PolicyInvalidError, match=r"sampling\.budget"):
            parse_policy(f"[sampling.budget]\n{text}\n")

    @pytest.mark.parametrize(
        ("samples", "wanted", "left_s", "scale"),
        [
            (0, 0.01, 3_600, 1.0),  # 36 wanted of 100
            (0, 0.1, 3_600, 100 / 360),
            (50, 0.1, 1_800, 50 / 180),
            (100, 0.1, 600, 0.0),
            (120, 0.1, 600, 0.0),
            (99, 1.0, 0.5, 1 / 60),  # the last is not spent in half a second
            (100, 0.0, 600, 0.0),
        ],
    )
    def test_what_is_left_lasts(self, samples: int, wanted: float, left_s: float, scale: float) -> None:
        """The factor at which the budget lasts until the period ends."""
        most = Spending(samples=100, per="hour").most
        assert allowed_scale(most, Spent(samples=samples, wanted_per_s=wanted, left_s=left_s)) == pytest.approx(scale)

    @LAW
    @given(st.floats(1e-6, 1), st.floats(0, 1), st.floats(1e-6, 1))
    def test_lowered_rates(self, rate: float, scale: float, floor: float) -> None:
        """Never above what the budget leaves but for the floor; none, the floor or more; a lower budget is no higher rate."""
        found = lowered(rate, scale, floor)
        assert found == rate or found <= max(rate * scale, floor) * (1 + 1e-9)
        assert found == 0 or found >= min(floor, rate) * (1 - 1e-9)
        assert lowered(rate, scale / 2, floor) <= found
        assert lowered(rate, 1.0, floor) == rate

    def test_few_probabilities_are_in_use(self) -> None:
        """On a grid of four steps for each halving: sums are kept by probability."""
        found = {lowered(0.4, 1 - n / 1_000, 0.01) for n in range(1_000)}
        assert len(found) < 25
        assert min(found) == 0.0
        assert sorted(found)[1] >= 0.01

    def test_a_decision_says_that_the_budget_lowered_it(self) -> None:
        """The probability is the lowered one, and the reason names the budget."""
        policy = parse_policy(BUDGET)
        for unit in (f"u{n}" for n in range(200)):
            found = decide(unit=unit, fields={}, policy=policy, policy_version="v", forced=False, scale=0.25)
            assert (found.inclusion_probability, found.reason) == (0.1, Reason.BUDGET)
            whole = decide(unit=unit, fields={}, policy=policy, policy_version="v", forced=False)
            assert whole.reason is Reason.HASH
            assert found.choice is Choice.SAMPLED_OUT or whole.choice is Choice.SAMPLED  # nested: never in at less only
