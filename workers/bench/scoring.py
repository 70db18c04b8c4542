"""`assay bench scoring`: the engine beside the reference library, same weights, same machine, one run."""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from rich.console import Console

from models.aggregate import judge_claim
from models.calibrate import Calibration, load_calibration
from models.limits import Limits
from models.load import BUNDLED, Model, ScorerConfig, load_model, make_nli
from models.pairs import Plan, Planner
from models.types import Item, ModelError, Outcome, Probability, Scored
from workers.bench.gpu import measure_gpu
from workers.bench.machine import describe_machine
from workers.bench.mix import count_words, make_mix, plain_texts_of, texts_of
from workers.bench.results import BenchError, Machine, Series
from workers.bench.scoring_process import measure_process
from workers.bench.scoring_results import (
    Equality,
    PairRate,
    ResponseRate,
    RunTime,
    ScoringResult,
    Stage,
)

Measured = TypeVar("Measured")

SEED = 20261126
LENGTHS = (32, 64, 128, 256)
PROFILED = ((16, 64), (8, 128))  # rows and tokens of a batch


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringPlan:
    """How much is measured."""

    quick: bool
    rounds: int
    tokens: int  # of all pairs of one round, for each length
    responses: int
    response_rounds: int
    seconds: float  # of one measure of the matrix rate
    starts: int


FULL = ScoringPlan(quick=False, rounds=5, tokens=16_384, responses=20, response_rounds=3, seconds=0.5, starts=3)
QUICK = ScoringPlan(quick=True, rounds=1, tokens=512, responses=2, response_rounds=1, seconds=0.1, starts=1)


def bench_scoring(plan: ScoringPlan, checkpoint: Path, console: Console) -> ScoringResult:
    """Measures all but what needs a GPU that is not there. Raises BenchError, ModelError."""
    machine = describe_machine()
    return _Bench(plan, checkpoint, console).measure(machine)


class _Bench:
    def __init__(self, plan: ScoringPlan, checkpoint: Path, console: Console) -> None:
        self._plan = plan
        self._checkpoint = checkpoint
        self._console = console
        try:
            from models.backends import openvino_limits, reference  # noqa: PLC0415 - heavy, and not always installed
            from models.backends.cores import physical_cores  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise BenchError(
                f"{error.name} is not installed: the bench compares with sentence-transformers.",
                next_step="pip install 'assay-llm[dev]', then run it again.",
            ) from error
        self._limits = openvino_limits
        self._float32_rate = reference.float32_rate
        self._threads = len(physical_cores())
        self._reference = reference.Reference(checkpoint)
        self._config = ScorerConfig(threads=self._threads)
        self._model: Model = load_model(self._config)
        if self._model.calibration is None:
            raise ModelError("the bundled model has no calibration: models.training.calibrate writes one")
        self._calibration: Calibration = load_calibration(self._model.calibration, self._model.digest)

    def measure(self, machine: Machine) -> ScoringResult:
        """Everything, what is compared in turn."""
        plan = self._plan
        best = self._best_threads()
        self._console.print(f"pairs: Assay and the reference ({best} threads) in turn")
        pairs = [self._pair_rate(length) for length in LENGTHS]
        rates = [self._rates() for _ in range(plan.rounds)]
        self._reference.use_threads(best)
        mix = make_mix(plan.responses, SEED)
        responses, equality = self._responses(mix)
        self._console.print("memory and start, in processes of their own")
        starts = range(plan.starts)
        return ScoringResult(
            machine=machine,
            quick=plan.quick,
            threads=self._threads,
            reference_threads=best,
            accepted=self._calibration.accepted,
            pairs=tuple(pairs),
            int8_over_float32=Series.of(rates),
            responses=responses,
            equality=equality,
            stages=tuple(
                Stage(rows=rows, tokens=length, shares=dict(self._limits.stages(BUNDLED, rows, length, 10)))
                for rows, length in PROFILED
            ),
            assay_process=RunTime.of(measure_process("assay", self._checkpoint) for _ in starts),
            reference_process=RunTime.of(measure_process("reference", self._checkpoint) for _ in starts),
            gpu=measure_gpu(self._checkpoint, mix),
        )

    def _best_threads(self) -> int:
        """The number of threads with which the reference was fastest in any round: what disturbs it only slows it."""
        texts = self._texts(64, max(32, self._plan.tokens // 2 // 64))
        rates = {}
        for threads in sorted({1, self._threads, os.cpu_count() or 1}):
            self._reference.use_threads(threads)
            rates[threads] = max(
                self._timed(lambda: self._reference.predict(texts), len(texts)) for _ in range(self._plan.rounds)
            )
        best = max(rates, key=lambda threads: rates[threads])
        self._reference.use_threads(best)
        return best

    def _quietest(self, rounds: int, measure: Callable[[], Measured]) -> list[tuple[float, Measured]]:
        """Twice as many rounds, of which that half is kept in which the machine was quietest, each with its int8 rate.

        That is the lower of the rates right before and right after it: others on the machine slow some of what is
        compared far more than the rest.
        """
        measured = []
        for _ in range(1 if self._plan.quick else 2 * rounds):
            before = self._limits.int8_rate(self._threads, self._plan.seconds)
            result = measure()
            after = self._limits.int8_rate(self._threads, self._plan.seconds)
            measured.append((min(before, after), result))
        return sorted(measured, key=lambda each: -each[0])[:rounds]

    def _rates(self) -> float:
        """The machine's int8 matrix rate over its float32 one: no ratio of pairs is larger that does the same work."""
        seconds = self._plan.seconds
        return self._limits.int8_rate(self._threads, seconds) / self._float32_rate(self._threads, seconds)

    def _pair_rate(self, length: int) -> PairRate:
        count = max(32, self._plan.tokens // length)
        texts = self._texts(length, count)

        def both() -> tuple[float, float]:
            ours = self._timed(lambda: self._predict(texts), count)
            return ours, self._timed(lambda: self._reference.predict(texts), count)

        rounds = self._quietest(self._plan.rounds, both)
        asked = self._limits.multiplications(BUNDLED, length)
        return PairRate(
            tokens=length,
            pairs=count,
            measured=1 if self._plan.quick else 2 * self._plan.rounds,
            assay_per_s=Series.of(ours for _, (ours, _) in rounds),
            reference_per_s=Series.of(theirs for _, (_, theirs) in rounds),
            ratio=Series.of(ours / theirs for _, (ours, theirs) in rounds),
            int8_per_s=Series.of(rate for rate, _ in rounds),
            int8_share=Series.of(ours * asked / rate for rate, (ours, _) in rounds),
        )

    def _predict(self, texts: Sequence[tuple[str, str]]) -> None:
        """What the reference does with the same texts: tokens, batches, probabilities."""
        from models.tokens import pack  # noqa: PLC0415 - stands on the tokenizers

        encoder = self._model.encoder
        pairs = [encoder.join(pack(encoder.encode(a).ids), pack(encoder.encode(b).ids)) for a, b in texts]
        self._model.backend.predict(pairs, lambda: None)

    def _texts(self, length: int, count: int) -> list[tuple[str, str]]:
        """Pairs of exactly that many tokens, a fifth of them the claim, of the demo's own words."""
        encoder = self._model.encoder
        words = sorted({word for item in make_mix(5, SEED) for word in item.response.split() if word.isalpha()})
        single = [word for word in words if len(encoder.encode(word).ids) == 1]
        draw = Random(length)  # noqa: S311 - a draw, no secret
        claim = max(5, length // 5)
        window = length - encoder.specials - claim
        return [
            (" ".join(draw.choices(single, k=window)), " ".join(draw.choices(single, k=claim))) for _ in range(count)
        ]

    def _responses(self, mix: Sequence[Item]) -> tuple[ResponseRate, Equality]:
        """The mix: the engine, the engine without early end, and one call of the reference over all pairs, in turn."""
        plans = self._plans_of(mix)
        texts = [text for item, plan in zip(mix, plans, strict=True) for text in texts_of(item, plan)]
        self._console.print(f"responses: {len(mix)}, {len(texts):,} pairs of claims and windows, in turn")
        fast = make_nli(self._config, self._model, self._calibration)
        full = make_nli(replace(self._config, exhaustive=True), self._model, self._calibration)
        plain = [text for item, plan in zip(mix, plans, strict=True) for text in plain_texts_of(item, plan)]
        answers: dict[str, list[Any]] = {}

        def all_ways() -> dict[str, float]:
            ways: dict[str, Callable[[], list[Any]]] = {
                "ours": lambda: fast.score(mix, lambda: None),
                "exhaustive": lambda: full.score(mix, lambda: None),
                "theirs": lambda: self._reference.predict(texts),
                "plain": lambda: self._reference.predict(plain),
                "planning": lambda: self._plans_of(mix),
            }
            seconds = {}
            for name, way in ways.items():
                answers[name], seconds[name] = _with_time(way)
            return seconds

        rounds = [seconds for _, seconds in self._quietest(self._plan.response_rounds, all_ways)]
        per_s = {
            name: Series.of(len(mix) / seconds[name] for seconds in rounds)
            for name in ("ours", "exhaustive", "theirs", "plain")
        }
        words = [count_words(item) for item in mix]
        rate = ResponseRate(
            responses=len(mix),
            claims=sum(1 for plan in plans for claim in plan.claims if claim.ids),
            words_least=min(words),
            words_median=int(statistics.median(words)),
            words_most=max(words),
            pairs=len(texts),
            pairs_about=sum(reading.about for plan in plans for claim in plan.claims for reading in claim.readings),
            pairs_plain=len(plain),
            pairs_needed=sum(outcome.pairs for outcome in answers["ours"] if isinstance(outcome, Scored)),
            assay_per_s=per_s["ours"],
            exhaustive_per_s=per_s["exhaustive"],
            reference_per_s=per_s["theirs"],
            ratio=Series.of(seconds["theirs"] / seconds["ours"] for seconds in rounds),
            plain_per_s=per_s["plain"],
            plain_ratio=Series.of(seconds["plain"] / seconds["ours"] for seconds in rounds),
            planning_share=Series.of(seconds["planning"] / seconds["ours"] for seconds in rounds),
        )
        return rate, self._equality(plans, answers["ours"], answers["exhaustive"], iter(answers["theirs"]))

    def _plans_of(self, mix: Sequence[Item]) -> list[Plan]:
        """As the engine plans them, in one call."""
        planner = Planner(encoder=self._model.encoder, limits=Limits(), languages=frozenset(self._model.languages))
        plans = [planner.plan(item) for item in mix]
        scored = [plan for plan in plans if isinstance(plan, Plan)]
        if len(scored) < len(plans):
            raise BenchError("A response of the mix is not scored.")
        return scored

    def _equality(
        self,
        plans: Sequence[Plan],
        outcomes: Sequence[Outcome],
        exhaustive: Sequence[Outcome],
        float32: Iterator[Probability],
    ) -> Equality:
        claims = same_verdict = same_score = same_float32 = 0
        for plan, outcome, full in zip(plans, outcomes, exhaustive, strict=True):
            if not (isinstance(outcome, Scored) and isinstance(full, Scored)):
                raise BenchError("A response of the mix was not scored.")
            for planned, one, other in zip(plan.claims, outcome.claims, full.claims, strict=True):
                if not planned.ids:
                    continue
                read = [next(float32) for _ in planned.readings]
                claims += 1
                same_verdict += one.verdict == other.verdict
                same_score += one.score == other.score and one.evidence == other.evidence
                about = [reading.about for reading in planned.readings]
                judged = judge_claim(read, about, self._calibration, founded=not planned.missing)
                same_float32 += judged.verdict == one.verdict
        return Equality(claims=claims, verdicts=same_verdict, scores=same_score, float32_verdicts=same_float32)

    @staticmethod
    def _timed(work: Callable[[], object], count: int) -> float:
        """How many a second, if the work does that many."""
        return count / _with_time(work)[1]


def _with_time(work: Callable[[], Measured]) -> tuple[Measured, float]:
    """What the work returns, and the seconds that it took."""
    started = time.perf_counter()
    result = work()
    return result, max(time.perf_counter() - started, math.ulp(1.0))
