"""`assay bench golden`: the scorer's figures on the golden sets, and what the gate says of scorers and applications that broke."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from rich.console import Console

from models.calibrate import BALANCED, UNCALIBRATED, Calibration, load_calibration
from models.load import Model, ScorerConfig, load_model, make_nli
from models.types import Item, Outcome, Scored, Scorer
from service.core.golden.item import GoldenItem
from service.core.golden.record import TargetKind
from service.core.golden.sets import SHIPPED, GoldenSet, shipped_set
from workers.bench.breaking import cut_contexts, swapped
from workers.bench.golden_figures import Scores, figures
from workers.bench.golden_results import GateRuns, GoldenSetsResult
from workers.bench.golden_runs import Drawn, Flags, Run, draw, flaked, tally
from workers.bench.machine import describe_machine
from workers.golden.scoring_answers import item_of
from workers.offline.scoring import score_items

SEED = 20_261_127
FLAKES = 0.03
CUT_TOKENS = 128
OFF = 0.2
INVENTS, MORE = 0.10, 0.15
FEW = 20
WORSE, NO_WORSE, CANNOT_TELL = "worse", "no worse", "cannot tell"


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenSetsPlan:
    """How much to run."""

    runs: int
    repeats: tuple[int, ...] = (3, 5, 10)  # of an application


FULL = GoldenSetsPlan(runs=200)
QUICK = GoldenSetsPlan(runs=5, repeats=(3,))


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What all parts need."""

    plan: GoldenSetsPlan
    model: Model
    calibration: Calibration
    config: ScorerConfig
    console: Console

    def scorer(self, model: Model) -> Scorer:
        """The shipped pipeline around that model."""
        return make_nli(self.config, model, self.calibration)

    def scores(self, scorer: Scorer, items: Sequence[Item]) -> list[Outcome]:
        """What it says of each."""
        return [assessed.outcome for assessed in score_items(scorer, items)]


def bench_golden_sets(plan: GoldenSetsPlan, config: ScorerConfig, console: Console) -> GoldenSetsResult:
    """Scores the shipped sets, whole and in all ways broken, and runs the gate over them. Raises ModelError."""
    machine = describe_machine()
    config = replace(config, threshold="strict", cache=0)
    model = load_model(config)
    path = config.calibration or model.calibration
    calibration = load_calibration(path, model.digest) if path else UNCALIBRATED
    bench = Bench(plan=plan, model=model, calibration=calibration, config=config, console=console)
    scorer = bench.scorer(model)
    sets = [shipped_set(name) for name in SHIPPED]
    found, seconds = {}, {}
    for golden in sets:
        started = time.monotonic()
        found[golden.name] = Scores(
            items=golden.items, outcomes=bench.scores(scorer, [item_of(i, i.response or "") for i in golden.items])
        )
        seconds[golden.name] = time.monotonic() - started
        console.print(f"{golden.name}: {len(golden.items)} items, {seconds[golden.name]:.0f} s")
    thresholds: Mapping[str, Callable[[int], float]] = {
        "strict": lambda claims: calibration.raised("strict", claims),
        "balanced": lambda claims: calibration.raised("balanced", claims),
    }
    return GoldenSetsResult(
        machine=machine,
        quick=plan != FULL,
        seed=SEED,
        model=scorer.fingerprint,
        strict=calibration.strict or BALANCED,
        balanced=BALANCED,
        flakes=FLAKES,
        invents=INVENTS,
        more=MORE,
        sets=tuple(
            figures(golden, found[golden.name], name, threshold, seconds[golden.name])
            for golden in sets
            for name, threshold in thresholds.items()
        ),
        broken=tuple(_broken(bench, sets, found)),
        applications=tuple(_applications(bench, sets[0], found[sets[0].name])),
    )


def _flags(scores: Scores, off: float = 0.0) -> Flags:
    """Of a scorer, one answer of an item; what has nothing to check is not flagged."""
    return {
        item.id: [isinstance(outcome, Scored) and outcome.score >= outcome.threshold + off]
        for item, outcome in zip(scores.items, scores.outcomes, strict=True)
    }


def _broken(bench: Bench, sets: Sequence[GoldenSet], found: Mapping[str, Scores]) -> list[GateRuns]:
    whole, wrong = bench.scorer(bench.model), bench.scorer(swapped(bench.model))

    def again(scorer: Scorer, made: Callable[[Item], Item]) -> dict[str, Flags]:
        return {
            golden.name: _flags(
                Scores(
                    items=golden.items,
                    outcomes=bench.scores(scorer, [made(item_of(i, i.response or "")) for i in golden.items]),
                )
            )
            for golden in sets
        }

    base = {name: _flags(scores) for name, scores in found.items()}
    scenes: list[tuple[str, str, Mapping[str, Flags], float]] = [
        ("unchanged", NO_WORSE, base, 0.0),
        (f"unchanged, {FLAKES:.0%} flakes", NO_WORSE, base, FLAKES),
        ("entailment and contradiction swapped", WORSE, again(wrong, lambda item: item), 0.0),
        (
            f"contexts cut at {CUT_TOKENS} tokens",
            WORSE,
            again(whole, lambda item: cut_contexts(item, bench.model.encoder, CUT_TOKENS)),
            0.0,
        ),
        (f"threshold {OFF} too high", WORSE, {n: _flags(s, OFF) for n, s in found.items()}, 0.0),
        (f"threshold {OFF} too low", WORSE, {n: _flags(s, -OFF) for n, s in found.items()}, 0.0),
    ]
    results = []
    for what, right, now, flakes in scenes:
        for chosen in (sets, *([golden] for golden in sets)):
            random = Random(SEED)  # noqa: S311 - seeded worlds
            runs = [
                [_scorer_run(golden, base[golden.name], now[golden.name], flakes, random) for golden in chosen]
                for _ in range(bench.plan.runs)
            ]
            over = " and ".join(golden.name for golden in chosen)
            results.append(tally(what, over, right, runs))
        bench.console.print(f"scorer, {what}: {results[-3].share_right:.1%} right over both sets")
    return results


def _scorer_run(golden: GoldenSet, before: Flags, now: Flags, flakes: float, random: Random) -> Run:
    drawn = draw(golden.items, random)
    first, second = _of(drawn, before), _of(drawn, now)
    return Run(
        name=golden.name,
        kind=TargetKind.SCORER,
        drawn=drawn,
        before=flaked(first, flakes, random),
        now=flaked(second, flakes, random),
    )


def _of(drawn: Drawn, flags: Flags) -> Flags:
    return {name: list(flags[original]) for name, original in drawn.of.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What is flagged of one question's answers: what keeps to the contexts, and what makes something up."""

    kept: Mapping[str, bool]
    made_up: Mapping[str, bool]


def _applications(bench: Bench, core: GoldenSet, scores: Scores) -> list[GateRuns]:
    asked = [item for item in core.items if not item.hallucinated]
    results = []
    for sight, seen in _sights(bench, core, asked, scores).items():
        for repeats in bench.plan.repeats:
            for what, more, right in (
                ("unchanged", 0.0, NO_WORSE),
                (f"invents in {100 * MORE:.0f} points more", MORE, WORSE),
            ):
                results.append(_application(bench, asked, seen, _Scene(sight, what, right, more, repeats, len(asked))))
                bench.console.print(
                    f"application, {sight}, {repeats} repeats, {what}: {results[-1].share_right:.1%} right"
                )
        few = _Scene(sight, f"invents in {100 * MORE:.0f} points more", CANNOT_TELL, MORE, bench.plan.repeats[0], FEW)
        results.append(_application(bench, asked, seen, few))
    return results


@dataclass(frozen=True, slots=True)
class _Scene:
    sight: str
    what: str
    right: str
    more: float
    repeats: int
    items: int


def _sights(bench: Bench, core: GoldenSet, asked: Sequence[GoldenItem], scores: Scores) -> dict[str, _Seen]:
    """Who looks at the answers: a scorer that is never wrong, and the shipped one at two kinds of invention."""
    flags = {name: each[0] for name, each in _flags(scores).items()}
    twins = {item.pair: item for item in core.items if item.hallucinated}
    kept = {item.id: flags[item.id] for item in asked}
    random = Random(SEED)  # noqa: S311 - seeded worlds
    added = [item_of(item, f"{item.response} {_strange(item, asked, random)}") for item in asked]
    outcomes = bench.scores(bench.scorer(bench.model), added)
    blatant = {
        item.id: isinstance(outcome, Scored) and outcome.flagged for item, outcome in zip(asked, outcomes, strict=True)
    }
    return {
        "a scorer that is never wrong": _Seen(kept=dict.fromkeys(kept, False), made_up=dict.fromkeys(kept, True)),
        "the shipped scorer, a sentence about something else added": _Seen(kept=kept, made_up=blatant),
        "the shipped scorer, one thing changed": _Seen(
            kept=kept, made_up={item.id: flags[twins[item.pair].id] for item in asked if item.pair in twins}
        ),
    }


def _strange(item: GoldenItem, asked: Sequence[GoldenItem], random: Random) -> str:
    """A sentence of an answer to another question of another field."""
    other = random.choice([each for each in asked if each.domain != item.domain])
    return random.choice(
        [claim.text for claim in other.claims if claim.verdict.value == "supported"] or [other.response or ""]
    )


def _application(bench: Bench, asked: Sequence[GoldenItem], seen: _Seen, scene: _Scene) -> GateRuns:
    random = Random(SEED)  # noqa: S311 - seeded worlds
    runs = []
    for _ in range(bench.plan.runs):
        drawn = draw(asked, random, scene.items)
        before, now = (_answers(drawn, seen, share, scene.repeats, random) for share in (INVENTS, INVENTS + scene.more))
        runs.append([Run(name="core", kind=TargetKind.APPLICATION, drawn=drawn, before=before, now=now)])
    return tally(scene.what, f"{scene.sight}; {scene.items} questions, {scene.repeats} repeats", scene.right, runs)


def _answers(drawn: Drawn, seen: _Seen, share: float, repeats: int, random: Random) -> Flags:
    """Of an application that makes something up in that share of its answers, each by itself."""
    return {
        name: [(seen.made_up if random.random() < share else seen.kept)[original] for _ in range(repeats)]
        for name, original in drawn.of.items()
    }
