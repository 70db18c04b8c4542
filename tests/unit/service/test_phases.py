"""Rates with a judge in them: by hand where that is possible, by simulation of known truth elsewhere."""

from dataclasses import replace

import pytest

from service.core.correction import METHOD as TWO_PHASES
from service.core.correction import Labelled, Predicted, correct
from service.core.estimate import Estimand
from service.core.judged import Judged, judged_rate, judged_series, rate_by_verdicts
from service.core.phases import METHOD, Verdict, correct_with_judge
from service.core.store.judged import Reviewed, ReviewedRow
from service.core.tables import State
from workers.bench.statistics_judge import GOOD, cover_judge
from workers.bench.statistics_judge_results import JudgeCell
from workers.bench.statistics_judge_worlds import AT_RANDOM, HALF
from workers.bench.worlds import CLUSTERED, FALLIBLE, INDEPENDENT

LABEL = Labelled(inclusion_probability=0.1, label_probability=0.5, y=0.0, m=1, f=0.2)
ROW = ReviewedRow(
    bucket=0,
    group=(),
    scorer="f1",
    sample_seq=1,
    cluster="r1",
    inclusion_probability=0.5,
    probability=1.0,
    f=0.4,
    state=State.SCORED,
    judge="j1",
    flagged=True,
)
SERIES = (0, (), "f1")


def predicted(n: int, f: float = 0.2, probability: float = 0.1) -> Predicted:
    """So many responses of one probability that all have this score."""
    w = 1 / probability
    return Predicted(f=w * n * f, m=w * n, ff=w * w * n * f * f, fm=w * w * n * f, mm=w * w * n)


def verdicts(said: dict[int, float], probability: float = 1.0) -> list[Verdict]:
    return [
        Verdict(sample_seq=seq, sample=replace(LABEL, y=y, label_probability=probability)) for seq, y in said.items()
    ]


def test_a_perfect_judge_of_all_is_as_good_as_labels_of_all() -> None:
    """It judged all and says what people say: the rate is its share of all, whatever share of it happened to be labelled."""
    labels = {seq: replace(LABEL, y=float(seq < 40)) for seq in range(100)}
    said = verdicts({seq: float(seq < 40 or seq >= 950) for seq in range(1_000)})
    found = correct_with_judge(predicted(1_000), labels, said, 0.95)
    assert found is not None
    assert (found.rate, found.method, found.n_labels) == (pytest.approx(0.09), METHOD, 100)
    assert found.judge_power == pytest.approx(1)
    without = correct(predicted(1_000), list(labels.values()), 0.95)
    assert (without.rate, without.method) == (pytest.approx(0.4), TWO_PHASES)


def test_labels_of_what_was_not_judged_are_not_thrown_away() -> None:
    """The judge saw a half of the labels and is always right there; the other half still counts."""
    labels = {seq: replace(LABEL, y=float(seq % 4 == 0)) for seq in range(200)}
    said = verdicts({seq: float(seq % 4 == 0) for seq in range(100)} | dict.fromkeys(range(200, 600), 0.25))
    found = correct_with_judge(predicted(1_000), labels, said, 0.95)
    assert found is not None
    assert found.rate == pytest.approx(0.25)
    assert found.effective_n == pytest.approx(200 * 2, rel=0.25)  # half of the variance is known


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "no verdict"),
        ({seq: float(seq % 4 == 0) for seq in range(9)}, "on fewer than ten of the labels"),
        (dict.fromkeys(range(1000), 1.0), "always the same"),
        ({seq: float(seq % 4 != 0) for seq in range(1_000)}, "against the labels"),
    ],
)
def test_a_judge_that_adds_nothing_is_left_out(said: dict[int, float], why: str) -> None:
    """None: the rate is then the one without it."""
    labels = {seq: replace(LABEL, y=float(seq % 4 == 0)) for seq in range(100)}
    assert correct_with_judge(predicted(1_000), labels, verdicts(said), 0.95) is None, why


def test_few_labels_of_the_rarer_kind_tell_nothing_of_a_judge() -> None:
    """Four of a hundred are made up: what the judge is worth would be chance."""
    said = verdicts({seq: float(seq % 25 == 0) for seq in range(1_000)})
    few = {seq: replace(LABEL, y=float(seq % 25 == 0)) for seq in range(100)}
    assert correct_with_judge(predicted(1_000), few, said, 0.95) is None
    assert correct_with_judge(predicted(1_000), few | {seq: replace(LABEL, y=1.0) for seq in (1, 2)}, said, 0.95)


def test_what_belongs_together_widens() -> None:
    """Ten labels and verdicts to a session that all say the same are worth about a tenth."""
    single = {seq: replace(LABEL, y=float(seq // 10 % 3 == 0)) for seq in range(300)}
    together = {
        seq: replace(each, cluster=f"s{seq // 10}", cluster_f=20.0, cluster_m=100.0) for seq, each in single.items()
    }
    said = [Verdict(sample_seq=seq, sample=replace(x, y=x.y if seq % 2 else 0.0)) for seq, x in together.items()]
    alone = [replace(v, sample=replace(v.sample, cluster=None)) for v in said]
    by_sample = correct_with_judge(predicted(300), single, alone, 0.95)
    by_session = correct_with_judge(replace(predicted(300), ff=12_000, fm=60_000, mm=300_000), together, said, 0.95)
    assert by_sample is not None
    assert by_session is not None
    assert by_session.rate == pytest.approx(by_sample.rate)
    assert by_sample.effective_n is not None
    assert by_session.effective_n is not None
    assert by_session.effective_n < by_sample.effective_n / 4


def test_of_the_traffic_itself_with_all_labelled_nothing_is_open() -> None:
    """Everything was sampled, judged and labelled: only the floor that intervals keep is left."""
    whole = replace(LABEL, inclusion_probability=1.0, label_probability=1.0)
    labels = {seq: replace(whole, y=float(seq % 5 == 0)) for seq in range(100)}
    said = [Verdict(sample_seq=seq, sample=replace(x, y=x.y if seq > 20 else 0.0)) for seq, x in labels.items()]
    everything = Predicted(f=20, m=100, ff=0, fm=0, mm=0)
    traffic = correct_with_judge(everything, labels, said, 0.95, Estimand.TRAFFIC)
    process = correct_with_judge(predicted(100, 0.2, 1.0), labels, said, 0.95)
    assert traffic is not None
    assert process is not None
    assert traffic.rate == process.rate == pytest.approx(0.2)
    assert traffic.high is not None
    assert process.high is not None
    assert traffic.high <= process.high


def test_the_judged_rate_weighs_by_probability() -> None:
    """A sample judged with a twentieth of the probability stands for twenty times as many."""
    sure = verdicts(dict.fromkeys(range(100), 1.0))
    rare = verdicts(dict.fromkeys(range(100, 200), 0.0), 0.05)
    found = rate_by_verdicts(predicted(2_100), [v.sample for v in [*sure, *rare]], 0.95)
    assert found.rate == pytest.approx(1 / 21)


def test_heavy_verdicts_that_show_nothing_leave_much_open() -> None:
    """Of 30 samples that stand for twenty each none is flagged: a twentieth of them may well be, whatever the light ones say."""
    light = verdicts({seq: float(seq % 2) for seq in range(300)})
    heavy = verdicts(dict.fromkeys(range(300, 330), 0.0), 0.05)
    found = rate_by_verdicts(predicted(900), [v.sample for v in [*light, *heavy]], 0.95)
    assert found.high is not None
    assert found.rate is not None
    assert found.high - found.rate > 0.05


def test_of_the_traffic_itself_silence_leaves_something_open() -> None:
    """Nearly all were asked and a half answered: half of the variance is open, not the twentieth that was not asked."""
    whole = replace(LABEL, inclusion_probability=1.0, label_probability=0.95)
    answered = [replace(whole, y=float(n % 2)) for n in range(500)]
    found = rate_by_verdicts(Predicted(f=200, m=1_000, ff=0, fm=0, mm=0), answered, 0.95, Estimand.TRAFFIC)
    assert found.effective_n == pytest.approx(1_000, rel=0.02)


def judged(rows: list[ReviewedRow]) -> Judged:
    return judged_series(Reviewed(rows=rows, uncovered={SERIES: 3}))[SERIES]


def test_every_review_is_counted_once() -> None:
    """By the judge with the most verdicts, by others, without a verdict, not yet."""
    changes = [
        {},
        {},
        {"judge": "j0"},
        {"state": State.UNSCORED, "flagged": None},
        {"state": State.PENDING, "judge": None},
    ]
    changes += [{"state": State.NOT_APPLICABLE, "flagged": None}]
    found = judged([replace(ROW, sample_seq=n, **change) for n, change in enumerate(changes)])
    assert (found.fingerprint, len(found.verdicts), found.others) == ("j1", 2, 1)
    assert (found.unscored, found.pending, found.uncovered) == (2, 1, 3)


def test_without_a_verdict_there_is_no_judged_rate() -> None:
    """Null, not 0: the judge said nothing of it."""
    assert judged_series(Reviewed(rows=[replace(ROW, state=State.PENDING, flagged=None, judge=None)])) == {}


def test_few_verdicts_are_no_rate() -> None:
    """Null, and how many more; the same where they stand for less than half of what was scored."""
    found = judged_rate(predicted(20, 0.4, 0.5), judged([ROW] * 20), 0.95, Estimand.PROCESS)
    assert (found.found.rate, found.found.n_labels, found.found.labels_needed) == (None, 20, 10)
    sparse = judged_rate(predicted(1_000, 0.4, 0.5), judged([ROW] * 100), 0.95, Estimand.PROCESS)
    assert (sparse.found.rate, sparse.found.labels_needed, sparse.share) == (None, 400, pytest.approx(0.1))


@pytest.mark.parametrize("traffic", [INDEPENDENT, CLUSTERED])
def test_intervals_with_a_judge_hold_the_truth(traffic: str) -> None:
    """In 150 worlds at least 90% of both hold the truth, their means are the truth, and labels say more with the judge."""
    cell = JudgeCell(
        rate=0.2,
        n=1_000,
        design="equal",
        traffic=traffic,
        detector=FALLIBLE,
        judge=GOOD,
        cascade=HALF,
        silence=AT_RANDOM,
    )
    found = cover_judge(cell, 150, (300,))
    (by_labels,) = found.hallucination
    assert min(found.judged.coverage or 0, by_labels.three.coverage or 0) > 0.9
    assert found.judged.mean == pytest.approx(found.truth, abs=0.01)
    assert by_labels.three.mean == pytest.approx(0.2, abs=0.01)
    assert by_labels.ratio is not None
    assert by_labels.ratio < 0.95
