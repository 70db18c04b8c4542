"""What `assay bench scoring` measured, as its JSON file holds it."""

from collections.abc import Iterable
from typing import Self

from workers.bench.results import Frozen, Machine, Series


class PairRate(Frozen):
    """Pairs of one length, texts in and probabilities out."""

    tokens: int
    pairs: int  # of one round
    measured: int  # rounds, of which those are kept in which the machine's int8 rate was highest
    assay_per_s: Series
    reference_per_s: Series
    ratio: Series  # of the two, round by round
    int8_per_s: Series  # multiplications that the machine reached in the same rounds
    int8_share: Series  # of them, what the model's own come to


class ResponseRate(Frozen):
    """Whole responses of the mix."""

    responses: int
    claims: int
    words_least: int
    words_median: int
    words_most: int
    pairs: int  # all (claim, window) pairs: what the reference reads
    pairs_about: int  # of those, with a window that is about the claim
    pairs_plain: int  # pairs with passages of 95 words that do not overlap, as a user of the library would cut them
    pairs_needed: int  # that decided
    assay_per_s: Series
    exhaustive_per_s: Series  # the engine itself, reading every pair
    reference_per_s: Series  # one call over all pairs
    ratio: Series
    plain_per_s: Series  # the reference, one call over the plain pairs
    plain_ratio: Series
    planning_share: Series  # of the engine's time: sentences, tokens, windows, order


class Equality(Frozen):
    """Claims of the mix that come out alike."""

    claims: int
    verdicts: int  # with the exhaustive scan of the same model
    scores: int  # with it: score and evidence, to the bit
    float32_verdicts: int  # with the reference's float32 probabilities of every window


class Stage(Frozen):
    """Where the time of one batch goes."""

    rows: int
    tokens: int
    shares: dict[str, float]


class ProcessFigures(Frozen):
    """One process of its own, from its start."""

    first_score_s: float  # from the start of the interpreter to the first response's score
    peak_mb: float | None  # resident, after a part of the mix; None where the system does not tell


class RunTime(Frozen):
    """Several processes, one after the other."""

    first_score_s: Series
    peak_mb: Series | None

    @classmethod
    def of(cls, figures: Iterable[ProcessFigures]) -> Self:
        """The series of these processes."""
        measured = list(figures)
        peaks = [each.peak_mb for each in measured if each.peak_mb is not None]
        return cls(
            first_score_s=Series.of(each.first_score_s for each in measured),
            peak_mb=Series.of(peaks) if peaks else None,
        )


class GpuResult(Frozen):
    """The same weights on a GPU, by the torch backend."""

    device: str
    dtype: str
    tokens: int
    pairs_per_s: Series
    responses_per_s: Series


class ScoringResult(Frozen):
    """`assay bench scoring`."""

    machine: Machine
    quick: bool  # too short to mean anything; for tests
    threads: int  # of the engine
    reference_threads: int  # with which the reference was fastest
    accepted: float  # entailment that settles a claim
    pairs: tuple[PairRate, ...]
    int8_over_float32: Series  # the machine's rates of large matrix products
    responses: ResponseRate
    equality: Equality
    stages: tuple[Stage, ...]
    assay_process: RunTime
    reference_process: RunTime
    gpu: GpuResult | None  # None where there is no GPU
