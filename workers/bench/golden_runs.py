"""Seeded runs of the golden-set gate: sets drawn anew of the items of one set, answers that flake, and what the gate says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from statistics import fmean, median

from service.core.golden.compare import compare
from service.core.golden.comparison_schemas import ComparisonAnswer, EndpointAnswer
from service.core.golden.gate import Verdict
from service.core.golden.item import GoldenItem
from service.core.golden.record import AnswerRecord, AnswerState, ItemRecord, KnownAnswers, RunRecord, TargetKind
from workers.bench.golden_results import EndpointMeans, GateRuns

Flags = Mapping[str, Sequence[bool]]  # of an item: whether each of its answers is flagged


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Items that were drawn from a set with replacement, the two versions of a pair together."""

    items: tuple[GoldenItem, ...]  # with ids of their own
    of: Mapping[str, str]  # the id of each in the set

    def own(self, flags: Flags) -> Flags:
        """The flags of the drawn items."""
        return {name: flags[original] for name, original in self.of.items()}


def draw(items: Sequence[GoldenItem], random: Random, pairs: int | None = None) -> Drawn:
    """So many pairs, as many as there are if no number is given."""
    held: dict[str, list[GoldenItem]] = {}
    for item in items:
        held.setdefault(item.pair or item.id, []).append(item)
    groups = list(held.values())
    made, of = [], {}
    for number in range(len(groups) if pairs is None else pairs):
        for item in random.choice(groups):
            name = f"{item.id}.{number}"
            made.append(item.model_copy(update={"id": name}))
            of[name] = item.id
    return Drawn(items=tuple(made), of=of)


def flaked(flags: Flags, share: float, random: Random) -> Flags:
    """The same, with that share of the answers turned by chance."""
    return {name: [flag != (random.random() < share) for flag in answers] for name, answers in flags.items()}


def record(
    kind: TargetKind,
    name: str,
    items: Sequence[GoldenItem],
    flags: Flags,
    *,
    known: KnownAnswers | None = None,
    processor: str = "",
) -> RunRecord:
    """A run over these items in which answers were flagged so."""
    now = datetime.now(UTC)
    return RunRecord(
        id=name,
        set_name="drawn",
        set_digest="",
        kind=kind,
        target="simulated",
        fingerprint="simulated",
        repeats=len(flags[items[0].id]),
        started_at=now,
        finished_at=now,
        known_answers=known,
        runtime={"device": processor},
        items=tuple(
            ItemRecord(item=item, digest="", answers=tuple(_answer(flagged) for flagged in flags[item.id]))
            for item in items
        ),
    )


def _answer(flagged: bool) -> AnswerRecord:  # noqa: FBT001 - the value itself
    return AnswerRecord(state=AnswerState.SCORED, score=float(flagged), flagged=flagged, threshold=0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run over drawn items, and its baseline."""

    kind: TargetKind
    drawn: Drawn
    before: Flags
    now: Flags
    known: tuple[KnownAnswers, KnownAnswers] | None = None  # of the scorer before and now
    moved: bool = False  # to another processor

    def compared(self, *, asked: bool = True) -> ComparisonAnswer:
        """By the gate as it is shipped, or by the items alone."""
        before, now = self.known if self.known and asked else (None, None)
        return compare(
            record(self.kind, "baseline", self.drawn.items, self.before, known=before),
            record(
                self.kind,
                "candidate",
                self.drawn.items,
                self.now,
                known=now,
                processor="another" if self.moved else "",
            ),
        )


def tally(what: str, right: str, runs: Sequence[Run]) -> GateRuns:
    """What came of many runs."""
    compared = [run.compared() for run in runs]
    verdicts = [answer.verdict for answer in compared]
    first = runs[0]
    known = None if first.known is None else first.known[1]
    return GateRuns(
        what=what,
        right=right,
        items=len(first.drawn.items),
        repeats=len(next(iter(first.now.values()))),
        runs=len(runs),
        worse=verdicts.count(Verdict.WORSE),
        no_worse=verdicts.count(Verdict.NO_WORSE),
        margin=fmean(answer.margin for answer in compared),
        moved=first.moved,
        known=None if known is None else known.hallucinated.right + known.supported.right,
        right_unasked=None
        if known is None
        else sum(run.compared(asked=False).verdict == right.replace(" ", "_") for run in runs),
        means=tuple(_means(each) for each in zip(*(answer.endpoints for answer in compared), strict=True)),
    )


def _means(found: Sequence[EndpointAnswer]) -> EndpointMeans:
    needed = [each.items_needed for each in found if each.items_needed is not None]
    return EndpointMeans(
        name=found[0].name.value,
        baseline=fmean(each.baseline or 0.0 for each in found),
        candidate=fmean(each.candidate or 0.0 for each in found),
        needed=int(median(needed)) if needed else None,
    )
