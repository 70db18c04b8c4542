"""Alert rules on probes: a broken scorer wakes somebody, and what is not known is not good."""

from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import status

from service.core.alerting.machine import State
from service.core.db import Database
from tests.integration.alerting import HOOK, Watched, watched
from tests.integration.conftest import Start
from tests.integration.probing import Prober, is_wrong, stored, told_round
from tests.integration.support import ToldScorer, new_sample, scored, store

ACCURACY = """
[[alerts]]
name = "broken"
metric = "probe_accuracy"
below = 0.8
window = "15m"
for = "0s"
keep_firing_for = "0s"
"""
VARIANCE = """
[[alerts]]
name = "differs"
metric = "probe_variance"
above = 0.000001
for = "0s"
keep_firing_for = "0s"
"""


@pytest.fixture
def watch(database: Database, tmp_path: Path) -> Watched:
    """Both rules, and a tenant to be looked at."""
    made = watched(database, tmp_path / "alerts.toml", ACCURACY + VARIANCE + HOOK)
    store(database, new_sample("a"))
    return made


def state(watch: Watched, rule: str = "broken") -> State:
    return watch.states()[rule,]


def told(watch: Watched, rule: str = "broken") -> list[tuple[str, float | None]]:
    """Events of a rule with what was measured, oldest first."""
    return [(each.notice.event.value, each.notice.reading.value) for each in watch.events() if each.notice.rule == rule]


def test_swapped_labels_fire_and_are_resolved(watch: Watched) -> None:
    """From a worker's own round to the sink: the rule fires at the next look, and is resolved by a round that is right."""
    answers = {"swapped": True}
    scorer = ToldScorer(answer=lambda item: scored(flagged=is_wrong(item) is not answers["swapped"]))
    prober = Prober(watch.database, scorer)
    watch.clock.now = prober.probe().at
    watch.look()
    assert told(watch) == [("firing", 0.0)]
    assert ("firing", ["hook"]) in watch.told()
    answers["swapped"] = False
    watch.clock.now = prober.probe().at + timedelta(seconds=1)
    watch.look()
    assert told(watch) == [("firing", 0.0), ("resolved", 1.0)]
    assert len(stored(watch.database)) == 2


def test_the_worst_worker_counts(watch: Watched) -> None:
    """One of three is wrong; that it is followed by right rounds of others changes nothing."""
    now = watch.clock.now
    told_round(watch.database, now, worker="bad", right=5, wrong=5)
    for worker in ("w1", "w2"):
        told_round(watch.database, now, worker=worker)
    watch.look()
    assert (state(watch), told(watch)) == (State.FIRING, [("firing", 0.5)])
    told_round(watch.database, watch.clock.now, worker="bad")  # its latest round is right
    watch.look()
    assert state(watch) is State.RESOLVED


def test_a_worker_that_is_gone_counts_no_more(watch: Watched) -> None:
    """It wrote no round for three of its intervals."""
    told_round(watch.database, watch.clock.now, worker="bad", right=0, wrong=10, interval_s=60.0)
    watch.look()
    assert state(watch) is State.FIRING
    watch.clock.move(minutes=4)
    told_round(watch.database, watch.clock.now)
    watch.look()
    assert state(watch) is State.RESOLVED


def test_no_round_is_no_data(watch: Watched) -> None:
    """Neither before the first nor after the last of the window."""
    watch.look()
    assert told(watch) == told(watch, "differs") == [("no_data", None)]
    told_round(watch.database, watch.clock.now)
    watch.look()
    assert state(watch) is State.RESOLVED
    watch.look(minutes=16)
    assert state(watch) is State.NO_DATA


def test_what_cannot_be_scored_is_not_good(watch: Watched) -> None:
    """A live worker of which nothing is known leaves nothing to judge, unless another is known to be bad."""
    told_round(watch.database, watch.clock.now)
    told_round(watch.database, watch.clock.now, worker="fails", right=0, unknown=10)
    watch.look()
    assert state(watch) is State.NO_DATA
    told_round(watch.database, watch.clock.now, worker="bad", right=1, wrong=9)
    watch.look()
    assert told(watch)[-1] == ("firing", 0.1)


def test_a_worker_that_differs_fires(watch: Watched) -> None:
    """All are right, by the same fingerprint, and one scores differently; of one round nothing can be said."""
    told_round(watch.database, watch.clock.now)
    watch.look()
    assert state(watch, "differs") is State.NO_DATA
    told_round(watch.database, watch.clock.now, worker="w2")
    watch.look()
    assert state(watch, "differs") is State.RESOLVED
    told_round(watch.database, watch.clock.now, worker="w3", scores={"p-0": 0.104})
    watch.look()
    assert (state(watch), state(watch, "differs")) == (State.OK, State.FIRING)
    assert told(watch, "differs")[-1] == ("firing", pytest.approx(0.004**2 / 3))


def test_the_past_cannot_be_replayed(start: Start) -> None:
    """The refusal says where it is."""
    answer = start(ACCURACY).client.post("/alerts/broken/backtest?window=1d")
    assert answer.status_code == status.HTTP_400_BAD_REQUEST
    assert "assay_probe_accuracy" in answer.json()["detail"]
