"""The arithmetic from measured costs to machines."""

from math import isclose

from tests.unit.workers.bench_results import ingest_result, queue_result, store_result
from workers.bench.scaling import Costs, costs, needs, one_machine

GIVEN = Costs(
    single_per_s=2_000,
    batch_per_s=18_000,
    chosen_per_s=4_000,
    model_ms=99.75,
    queue_ms=0.25,  # with the model: 10 samples a second and core
    store="PostgreSQL 18.4",
    store_per_s=5_000,
    rows_per_take=64,
)


def test_costs_are_the_measured_medians() -> None:
    """PostgreSQL's figures where it was measured, the slower form of a batch, the best crowd."""
    assert costs(ingest_result(), queue_result()) == GIVEN


def test_without_postgresql_sqlite_stands_in() -> None:
    """One worker alone then says what the database finishes."""
    given = costs(ingest_result(), queue_result(stores=(store_result("SQLite 3.40.1"),)))
    assert given is not None
    assert (given.store, given.store_per_s) == ("SQLite 3.40.1", 4_000)


def test_without_a_model_there_is_nothing_to_compute() -> None:
    """A missing model is not a model that costs nothing."""
    assert costs(ingest_result(), queue_result(model=None)) is None


def test_one_machine_carries_what_its_workers_score() -> None:
    """Seven worker cores score 70 samples a second: 1,400 submissions at 5%, though the sidecar takes 2,000."""
    carried = one_machine(GIVEN, cores=8, share=0.05)
    assert isclose(carried.samples_per_s, 70)
    assert isclose(carried.submissions_per_s, 1_400)
    assert isclose(carried.balanced_share, 0.035)


def test_one_machine_carries_no_more_than_its_sidecar_takes() -> None:
    """Workers that are idle take no submissions."""
    assert one_machine(GIVEN, cores=32, share=0.05).submissions_per_s == 2_000


def test_a_machine_of_one_core_has_a_worker_too() -> None:
    """The only core scores as well."""
    assert isclose(one_machine(GIVEN, cores=1, share=0.05).samples_per_s, 10)


def test_what_ten_thousand_a_second_need() -> None:
    """500 samples a second: 50 worker cores, 5 sidecars, 500 + 2 * 500 / 64 + 5 commits, a tenth of the database."""
    wanted = needs(GIVEN, 10_000, 0.05)
    assert (wanted.sidecars_single, wanted.sidecars_batch, wanted.sidecars_chosen) == (5, 1, 1)
    assert wanted.worker_cores == 50
    assert isclose(wanted.commits_per_s, 520.625)
    assert isclose(wanted.store_used, 0.1)
    assert isclose(wanted.rows_per_day, 43_200_000)
