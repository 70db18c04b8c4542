"""A judge that hangs, fails and talks nonsense beside first scores: a short run of the bench, with real processes."""

from dataclasses import replace

import pytest
from rich.console import Console

from workers.bench.judging import QUICK, bench_judging
from workers.bench.judging_report import judging_section

pytestmark = pytest.mark.acceptance


def test_every_review_ends_and_the_bill_is_the_endpoint_s() -> None:
    """Stated ends for all, the endpoint's own tokens, nothing twice; first scores are not held up by what hangs."""
    result = bench_judging(replace(QUICK, samples=100, timeout_s=2.0), None, Console(quiet=True))
    [store] = result.stores
    bill = store.bill
    assert (store.pending, store.scored_twice, store.reviewed_twice) == (0, 0, 0)
    assert sum(each.reviews for each in store.ended) == 100
    assert {each.reason for each in store.ended} == {None, "judge_unavailable", "judge_unparseable"}
    assert bill.calls == bill.requests
    assert (bill.input_tokens, bill.output_tokens) == (bill.billed_input_tokens, bill.billed_output_tokens)
    assert bill.settled_cost == pytest.approx(bill.billed_cost)
    assert bill.at_most >= bill.settled_cost
    # A hung call lasts two seconds: were first scores to wait for it, they would be this slow.
    assert store.beside.median > 20
    assert "First scores beside a judge" in judging_section(result)
