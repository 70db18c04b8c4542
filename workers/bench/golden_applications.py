"""Applications that answer by the contexts or make something up, and what the golden-set gate says of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from rich.console import Console

from models.types import Item, Verdict
from service.core.golden.item import GoldenItem
from service.core.golden.power import APPLICATION_FLAKES
from service.core.golden.record import TargetKind
from workers.bench.golden_results import GateRuns, Sight
from workers.bench.golden_runs import Drawn, Flags, Run, draw, tally
from workers.golden.scoring_answers import item_of

SEED = 20_261_128
REPEATS = 3  # as shipped
FEW, MANY = 20, 400
Flagging = Callable[[Sequence[Item]], Mapping[str, Sequence[bool]]]  # by threshold, in order of the items


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """By question: whether an answer is flagged that keeps to the contexts, and one that makes something up."""

    kept: Mapping[str, bool]
    made_up: Mapping[str, bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """How an application answers."""

    always: float  # share of questions to which it always makes something up
    more: float = 0.0  # share of answers beyond these in which it does so by chance
    flakes: float = 0.0  # share of answers that turn by chance, in either direction


def measure_applications(
    items: Sequence[GoldenItem], flagged: Flagging, *, runs: int, invents: float, more: float, console: Console
) -> list[Sight]:
    """All scenes, seen by labels and by the scorer."""
    asked = [item for item in items if not item.hallucinated]
    before = Behaviour(always=invents)
    flaky = Behaviour(always=invents, flakes=APPLICATION_FLAKES)
    worse = Behaviour(always=invents, more=more)
    named = f"makes up {100 * more:.0f} points more"
    sights = []
    for name, seen in _sights(items, asked, flagged).items():
        world = _World(asked=asked, seen=seen, runs=runs)
        scenes = [
            world.scene("nothing", "no worse", before, before, len(asked)),
            world.scene(f"nothing, {APPLICATION_FLAKES:.0%} flakes", "no worse", flaky, flaky, len(asked)),
            *(world.scene(named, "worse", before, worse, questions) for questions in (len(asked), MANY)),
            world.scene(named, "cannot tell", before, worse, FEW),
        ]
        for each in scenes:
            console.print(
                f"application, {name}, {each.items} questions, {each.what}: {each.share_right:.1%} right",
                soft_wrap=True,
            )
        sights.append(Sight(name=name, scenes=tuple(scenes)))
    return sights


@dataclass(frozen=True, kw_only=True, slots=True)
class _World:
    asked: Sequence[GoldenItem]
    seen: Seen
    runs: int

    def scene(self, what: str, right: str, before: Behaviour, now: Behaviour, questions: int) -> GateRuns:
        """So many runs, of questions drawn anew."""
        random = Random(SEED)  # noqa: S311 - seeded worlds
        made = []
        for _ in range(self.runs):
            drawn = draw(self.asked, random, questions)
            weak = {name for name in drawn.of if random.random() < before.always}
            first, second = (self._answers(drawn, weak, each, random) for each in (before, now))
            made.append(Run(kind=TargetKind.APPLICATION, drawn=drawn, before=first, now=second))
        return tally(what, right, made)

    def _answers(self, drawn: Drawn, weak: set[str], how: Behaviour, random: Random) -> Flags:
        chance = how.more / (1 - how.always)

        def flag(name: str, original: str) -> bool:
            invented = name in weak or random.random() < chance
            invented ^= random.random() < how.flakes
            return (self.seen.made_up if invented else self.seen.kept)[original]

        return {name: [flag(name, original) for _ in range(REPEATS)] for name, original in drawn.of.items()}


def _sights(items: Sequence[GoldenItem], asked: Sequence[GoldenItem], flagged: Flagging) -> dict[str, Seen]:
    """Who looks at which kind of invention."""
    random = Random(SEED)  # noqa: S311 - seeded worlds
    twins = {item.pair: item for item in items if item.hallucinated}
    names = [item.id for item in asked]
    answers = {
        "kept": [item_of(item, item.response or "") for item in asked],
        "an answer to another question": [item_of(item, _other(item, asked, random).response or "") for item in asked],
        "a sentence about something else added": [
            item_of(item, f"{item.response} {_strange(item, asked, random)}") for item in asked
        ],
        "one thing changed": [item_of(item, twins[item.pair].response or "") for item in asked],
    }
    found = {kind: flagged(given) for kind, given in answers.items()}
    sights = {"labels": Seen(kept=dict.fromkeys(names, False), made_up=dict.fromkeys(names, True))}
    for kind in list(answers)[1:]:
        for threshold, flags in found[kind].items():
            kept = dict(zip(names, found["kept"][threshold], strict=True))
            sights[f"the scorer at {threshold}, {kind}"] = Seen(kept=kept, made_up=dict(zip(names, flags, strict=True)))
    return sights


def _other(item: GoldenItem, asked: Sequence[GoldenItem], random: Random) -> GoldenItem:
    """Another question, of another field, whose answer says something."""
    return random.choice(
        [
            other
            for other in asked
            if other.domain != item.domain and any(claim.verdict is Verdict.SUPPORTED for claim in other.claims)
        ]
    )


def _strange(item: GoldenItem, asked: Sequence[GoldenItem], random: Random) -> str:
    """A sentence of an answer to another question."""
    claims = _other(item, asked, random).claims
    return random.choice([claim.text for claim in claims if claim.verdict is Verdict.SUPPORTED])
