"""`assay bench robustness`: what irrelevant, repeated, long or hostile text does to verdicts, on labelled rows."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from rich.console import Console

from models.calibrate import BALANCED, UNCALIBRATED, Calibration, load_calibration
from models.load import ScorerConfig, load_model, make_nli
from models.training.rows import Row
from models.types import NotApplicable, Outcome, Scored, Scorer, Unscored
from workers.bench.company import measure_company
from workers.bench.corpus import Corpus
from workers.bench.long_texts import LongTexts, measure_last, measure_quoted
from workers.bench.machine import describe_machine
from workers.bench.results import BenchError
from workers.bench.robustness_results import RobustnessResult, SetResult, Settling
from workers.bench.shifts import checked, score_of
from workers.bench.trials import Trial

SEED = 20261126
REMEMBERED = 200_000  # pairs: what is asked of one row in many ways is read once


@dataclass(frozen=True, kw_only=True, slots=True)
class RobustnessPlan:
    """How much is measured."""

    quick: bool
    rows_each: int
    diluted_words: tuple[int, ...]  # of irrelevant contexts
    diluted_responses: int  # of each set
    long_texts: LongTexts
    pairs_each: int  # that are asked in any company

    def with_rows(self, rows_each: int | None) -> Self:
        """The plan with another number of rows, if one is given."""
        return self if rows_each is None else replace(self, rows_each=rows_each)


FULL = RobustnessPlan(
    quick=False,
    rows_each=100,
    diluted_words=(300, 1_000, 3_000),
    diluted_responses=6,
    long_texts=LongTexts(context_words=10_000, quotations=12, response_words=2_000, responses=12),
    pairs_each=30,
)
QUICK = RobustnessPlan(
    quick=True,
    rows_each=4,
    diluted_words=(100, 200),
    diluted_responses=1,
    long_texts=LongTexts(context_words=300, quotations=1, response_words=60, responses=1),
    pairs_each=3,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scorers:
    """The same model, read in both ways."""

    early: Scorer
    exhaustive: Scorer
    calibration: Calibration
    strict: float


def bench_robustness(plan: RobustnessPlan, data: Path, config: ScorerConfig, console: Console) -> RobustnessResult:
    """Measures every set of the folder. Raises BenchError, ModelError."""
    machine = describe_machine()
    corpus = Corpus.read(data, plan.rows_each, SEED)
    scorers = _load(config)
    sets = [_measure_set(plan, corpus, name, scorers, console) for name in corpus.rows]
    console.print("the same pairs in any company")
    return RobustnessResult(
        machine=machine,
        quick=plan.quick,
        seed=SEED,
        rows_each=plan.rows_each,
        model=scorers.early.fingerprint,
        balanced=BALANCED,
        strict=scorers.strict,
        accepted=scorers.calibration.accepted,
        context_words=plan.long_texts.context_words,
        response_words=plan.long_texts.response_words,
        sets=tuple(sets),
        company=measure_company(corpus, config, plan.pairs_each),
    )


def _load(config: ScorerConfig) -> _Scorers:
    model = load_model(config)
    path = config.calibration or model.calibration
    calibration = load_calibration(path, model.digest) if path else UNCALIBRATED
    if calibration.strict is None:
        raise BenchError(
            "This model has no calibration: where it flags is not known.",
            next_step="Make one with `assay calibrate` and set ASSAY_NLI_CALIBRATION to it.",
        )
    used = replace(config, threshold="strict", cache=REMEMBERED)
    return _Scorers(
        early=make_nli(used, model, calibration),
        exhaustive=make_nli(replace(used, exhaustive=True), model, calibration),
        calibration=calibration,
        strict=calibration.strict,
    )


def _measure_set(plan: RobustnessPlan, corpus: Corpus, name: str, scorers: _Scorers, console: Console) -> SetResult:
    started = time.monotonic()
    rows = corpus.rows[name]
    outcomes = scorers.early.score([row.item for row in rows], lambda: None)
    base = [(row, outcome) for row, outcome in zip(rows, outcomes, strict=True) if isinstance(outcome, Scored)]
    scores = [score_of(claim) for _, outcome in base for claim in checked(outcome)]
    trial = Trial(name=name, corpus=corpus, scorer=scorers.early, strict=scorers.strict, base=base)
    result = SetResult(
        name=name,
        rows=len(rows),
        claims=len(scores),
        supported=sum(score < BALANCED for score in scores),
        passed=sum(score < scorers.strict for score in scores),
        not_applicable=_reasons(outcomes, NotApplicable),
        unscored=_reasons(outcomes, Unscored),
        settling=_settle(scorers.exhaustive, name, base),
        transformed=trial.transformed(),
        diluted=trial.diluted(plan.diluted_words, plan.diluted_responses),
        helped=trial.helped(),
        attacked=trial.attacked(),
        injected=trial.injected(),
        quoted=measure_quoted(trial, plan.long_texts),
        last=measure_last(trial, plan.long_texts),
    )
    taken = time.monotonic() - started
    console.print(f"{name}: {len(rows)} rows, {len(scores)} claims, {taken:.0f} s", soft_wrap=True)
    return result


def _reasons(outcomes: Sequence[Outcome], kind: type[NotApplicable] | type[Unscored]) -> dict[str, int]:
    return dict(sorted(Counter(outcome.reason.value for outcome in outcomes if isinstance(outcome, kind)).items()))


def _settle(exhaustive: Scorer, name: str, base: Sequence[tuple[Row, Scored]]) -> Settling:
    """Reading up to the first accepted window beside reading every window, of the responses that both can score."""
    full = exhaustive.score([row.item for row, _ in base], lambda: None)
    both = [(early, whole) for (_, early), whole in zip(base, full, strict=True) if isinstance(whole, Scored)]
    claims = [pair for early, whole in both for pair in zip(checked(early), checked(whole), strict=True)]
    return Settling(
        name=name,
        responses=len(both),
        claims=len(claims),
        verdicts=sum(one.verdict is other.verdict for one, other in claims),
        scores=sum(one.score == other.score for one, other in claims),
        evidence=sum(one.evidence == other.evidence for one, other in claims),
        pairs=sum(early.pairs for early, _ in both),
        pairs_exhaustive=sum(whole.pairs for _, whole in both),
    )
