"""The result of `assay bench rates`, as its JSON holds it."""

from workers.bench.results import Frozen, Machine


class QueryCost(Frozen):
    """What one kind of query costs."""

    query: str
    buckets: int  # that it answered
    rows: int  # of the rollups that it read
    p50_ms: float
    p99_ms: float


class StoredCost(Frozen):
    """What queries cost with so many scored samples stored."""

    store: str
    stored: int
    rollup_rows: int
    folded_per_s: float  # deltas
    queries: tuple[QueryCost, ...]


class RatesResult(Frozen):
    """What reading rates costs, by the number of samples and of buckets."""

    machine: Machine
    quick: bool
    models: int
    routes: int
    calls: int  # of each query
    costs: tuple[StoredCost, ...]
