"""What the benches measured, as their JSON files hold it: every round, with median and range."""

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from service.core.errors import AssayError

Result = TypeVar("Result", bound=BaseModel)


class BenchError(AssayError):
    """A bench could not measure what it was asked to."""

    code = "bench_failed"
    next_step = "Correct what it names, then run the bench again."


class Frozen(BaseModel):
    """What was measured; nobody changes it."""

    model_config = ConfigDict(frozen=True)


class Series(Frozen):
    """One figure, measured in several rounds."""

    rounds: tuple[float, ...]

    @classmethod
    def of(cls, rounds: Iterable[float]) -> Self:
        """The series of these rounds."""
        return cls(rounds=tuple(rounds))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.rounds)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def spread(self) -> float:
        """The distance of the furthest rounds, as a share of the median."""
        return (max(self.rounds) - min(self.rounds)) / self.median if self.median else 0.0


class Machine(Frozen):
    """Where and with what it was measured."""

    processor: str
    cores: int
    system: str
    load_before: float  # the load average of the minute before: above 0.5, others were using the machine
    measured_at: str
    versions: dict[str, str]


class Latency(Frozen):
    """From the time at which a request was due to its answer, in milliseconds."""

    p50_ms: Series
    p99_ms: Series


class Batch(Frozen):
    """`POST /score/batch` in one form."""

    form: str  # NDJSON or array
    items: int  # submissions in one request
    submissions_per_s: Series


class IngestResult(Frozen):
    """`assay bench ingest`: one sidecar process on one core."""

    machine: Machine
    quick: bool  # too short to mean anything; for tests
    pinned: bool  # server and load each had a core of their own
    redis: bool  # a Redis was there to ring
    sampling_rate: float
    body_bytes: int
    generator_per_s: Series  # requests that the load generator gets answered by a responder that does nothing
    bare_per_s: Series  # the bare endpoint, offered more than it can answer
    assay_per_s: Series  # `POST /score`, offered more than it can answer
    ratio: Series  # of the two, round by round
    half_load_per_s: float  # half of what `POST /score` carries
    bare_latency: Latency  # at that load
    assay_latency: Latency  # at that load
    batches: tuple[Batch, ...]
    chosen_per_s: Series  # `POST /score` where every submission is a sample, as clients send that decide themselves
    chosen_batch_per_s: Series  # submissions a second of such, by `POST /score/batch`
    decisions: dict[str, int]  # what became of all that was sent


class Growth(Frozen):
    """The cost of a sample with that many rows pending."""

    pending: int
    per_sample_ms: Series


class Accepting(Frozen):
    """What the sidecar's writer pays to commit a group of samples."""

    rows: int
    per_sample_ms: Series


class Crowd(Frozen):
    """Several workers at one database, with a scorer that costs nothing."""

    workers: int
    samples_per_s: Series


class StoreResult(Frozen):
    """One database."""

    store: str
    settings: dict[str, str]
    per_sample_ms: Series  # take, items, finish: everything but the model, for the demo's median response
    growth: tuple[Growth, ...]
    accepting: tuple[Accepting, ...]
    crowds: tuple[Crowd, ...]  # empty for SQLite


class ModelCost(Frozen):
    """The bundled model on one core, over demo responses."""

    per_sample_ms: Series
    pairs_per_sample: float


class QueueResult(Frozen):
    """`assay bench queue`: everything between a pending row and a stored score."""

    machine: Machine
    quick: bool
    rows_per_take: int
    stores: tuple[StoreResult, ...]
    model: ModelCost | None  # None where no model runtime is installed

    def of(self, name: str) -> StoreResult | None:
        """The store whose name begins so."""
        return next((store for store in self.stores if store.store.startswith(name)), None)


def write_result(result: BaseModel, path: Path) -> None:
    """Writes a result as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_result(kind: type[Result], path: Path) -> Result:
    """The result in that file. Raises BenchError."""
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise BenchError(f"{path} is no result of `assay bench`: {type(error).__name__}.") from None
