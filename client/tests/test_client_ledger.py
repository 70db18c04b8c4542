"""The laws of counting."""

from typing import Any

from assay_client.ledger import MAX_ENTRIES, MAX_KINDS, SAMPLED_OUT, Ledger
from assay_client.sampling import Stratum
from hypothesis import given, settings
from hypothesis import strategies as st

STRATA = st.builds(Stratum, st.sampled_from(["a", "b"]), st.sampled_from([0.1, 0.5]), st.just("v"))
ANY = st.one_of(st.none(), st.text(max_size=3), st.text(min_size=150, max_size=300), st.integers(), st.lists(st.none()))
BODIES = st.fixed_dictionaries({}, optional={"model": ANY, "release": ANY, "route": ANY, "prompt_version": ANY})


class Clock:
    """Says what the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def reported(ledger: Ledger, now: float) -> list[dict[str, Any]]:
    entries = []
    while report := ledger.report():
        document = report.document(ledger.client, now)
        assert len(document["counts"]) <= MAX_ENTRIES
        entries += document["counts"]
        ledger.settle()
    return entries


@settings(deadline=None)
@given(st.lists(st.tuples(STRATA, BODIES)), st.floats(0, 10**6))
def test_every_count_is_reported_once(counted: list[tuple[Stratum, dict[str, Any]]], later: float) -> None:
    """Whatever the labels, the reports add up to what was counted, by stratum; labels are such as the server takes."""
    clock = Clock()
    ledger = Ledger(clock)
    for stratum, body in counted:
        ledger.count(SAMPLED_OUT, stratum, body)
    clock.now = later
    entries = reported(ledger, later)
    assert sum(entry["submissions"] for entry in entries) == len(counted)
    for name in ("model", "release", "route", "prompt_version"):
        assert all(e[name] is None or 0 < len(e[name].encode()) <= 200 for e in entries)
    assert all(0 <= entry["age_s"] <= 604_800 for entry in entries)
    assert ledger.empty


def test_unanswered_report_keeps_its_number() -> None:
    """Until it is answered, a report is the same but for its ages; what is counted meanwhile goes into the next."""
    clock = Clock()
    ledger = Ledger(clock)
    ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {})
    clock.now = 10.0
    first = ledger.report()
    ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {})
    clock.now = 500.0
    again = ledger.report()
    assert first
    assert (first is again, first.sequence) == (True, 1)
    ages = [report["counts"][0]["age_s"] for report in (first.document("c", 10.0), first.document("c", 500.0))]
    assert ages == [5.0, 495.0]
    ledger.settle()
    following = ledger.report()
    assert following
    assert (following.sequence, [n for _, _, n in following.entries]) == (2, [1])


def test_an_idle_time_is_not_counted_into() -> None:
    """A count is as old as it is, however long nothing was counted before, and nobody asked for a report."""
    clock = Clock()
    ledger = Ledger(clock)
    clock.now = 86_400.0  # made when the application was imported, used a day later
    ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {})
    clock.now += 4.0
    ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {})
    report = ledger.report()
    assert report
    assert [moment for _, moment, _ in report.entries] == [86_402.0]


def test_what_is_unreported_is_known() -> None:
    """Counted, waiting for a report or in an unanswered one: all of it is unreported, and nothing twice."""
    ledger = Ledger()
    for number in range(MAX_KINDS):
        ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {"model": str(number)})
    ledger.report()
    for _ in range(3):
        ledger.count(SAMPLED_OUT, Stratum("b", 0.1, "v"), {})
    assert ledger.unreported == MAX_KINDS + 3
    ledger.report()
    ledger.count(SAMPLED_OUT, Stratum("c", 0.1, "v"), {})
    assert ledger.unreported == MAX_KINDS + 4
    ledger.settle()
    assert ledger.unreported == 4
    reported(ledger, 0.0)
    assert (ledger.unreported, ledger.empty) == (0, True)


def test_labels_without_end_stay_bounded() -> None:
    """A label that is different each time lets go of labels, not of counts."""
    ledger = Ledger()
    for number in range(5 * MAX_KINDS):
        ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {"model": str(number)})
    entries = reported(ledger, 1.0)
    assert (sum(e["submissions"] for e in entries), len(entries)) == (5 * MAX_KINDS, MAX_KINDS + 1)


def test_a_long_outage_stays_bounded() -> None:
    """Counts of a day without a server need little memory; their minutes stay apart."""
    clock = Clock()
    ledger = Ledger(clock)
    for second in range(0, 86_400, 30):
        clock.now = float(second)
        for number in range(50):
            ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {"model": f"{second}-{number}"})
        ledger.report()
    assert len(ledger._pending) < 25_000
    assert sum(entry["submissions"] for entry in reported(ledger, 86_400.0)) == 50 * 2880
