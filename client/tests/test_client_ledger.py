"""The laws of counting."""

from typing import Any

from assay_client.ledger import MAX_ENTRIES, MAX_KINDS, SAMPLED_OUT, Ledger
from assay_client.sampling import Stratum
from hypothesis import given, settings
from hypothesis import strategies as st

STRATA = st.builds(Stratum, st.sampled_from(["a", "b"]), st.sampled_from([0.1, 0.5]), st.just("v"))
ANY = st.one_of(st.none(), st.text(max_size=3), st.text(min_size=150, max_size=300), st.integers(), st.lists(st.none()))
BODIES = st.fixed_dictionaries({}, optional={"model": ANY, "release": ANY, "route": ANY, "prompt_version": ANY})


def reported(ledger: Ledger, now: float) -> list[dict[str, Any]]:
    entries = []
    while report := ledger.report(now):
        document = report.document(ledger.client, now)
        assert len(document["counts"]) <= MAX_ENTRIES
        entries += document["counts"]
        ledger.settle()
    return entries


@settings(deadline=None)
@given(st.lists(st.tuples(STRATA, BODIES)), st.floats(0, 10**6))
def test_every_count_is_reported_once(counted: list[tuple[Stratum, dict[str, Any]]], later: float) -> None:
    """Whatever the labels, the reports add up to what was counted, by stratum; labels are such as the server takes."""
    ledger = Ledger(0.0)
    for stratum, body in counted:
        ledger.count(SAMPLED_OUT, stratum, body)
    entries = reported(ledger, later)
    assert sum(entry["submissions"] for entry in entries) == len(counted)
    for name in ("model", "release", "route", "prompt_version"):
        assert all(e[name] is None or 0 < len(e[name].encode()) <= 200 for e in entries)
    assert all(0 <= entry["age_s"] <= 604_800 for entry in entries)
    assert ledger.empty


def test_unanswered_report_keeps_its_number() -> None:
    """Until it is answered, a report is the same but for its ages; what is counted meanwhile goes into the next."""
    ledger = Ledger(0.0)
    ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {})
    first = ledger.report(10.0)
    ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {})
    again = ledger.report(500.0)
    assert first
    assert (first is again, first.sequence) == (True, 1)
    ages = [report["counts"][0]["age_s"] for report in (first.document("c", 10.0), first.document("c", 500.0))]
    assert ages == [5.0, 495.0]
    ledger.settle()
    following = ledger.report(500.0)
    assert following
    assert (following.sequence, [n for _, _, n in following.entries]) == (2, [1])


def test_labels_without_end_stay_bounded() -> None:
    """A label that is different each time lets go of labels, not of counts."""
    ledger = Ledger(0.0)
    for number in range(5 * MAX_KINDS):
        ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {"model": str(number)})
    entries = reported(ledger, 1.0)
    assert (sum(e["submissions"] for e in entries), len(entries)) == (5 * MAX_KINDS, MAX_KINDS + 1)


def test_a_long_outage_stays_bounded() -> None:
    """Counts of a day without a server need little memory; their minutes stay apart."""
    ledger = Ledger(0.0)
    for second in range(0, 86_400, 30):
        for number in range(50):
            ledger.count(SAMPLED_OUT, Stratum("a", 0.1, "v"), {"model": f"{second}-{number}"})
        ledger.report(float(second))
    assert len(ledger._pending) < 25_000
    assert sum(entry["submissions"] for entry in reported(ledger, 86_400.0)) == 50 * 2880
