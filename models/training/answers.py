"""The answers: every pair of a labelled row, read once, so that they can be put together in other ways."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.calibrate import PLAIN
from models.limits import Limits
from models.load import Model
from models.pairs import Plan, Planner
from models.tokens import Encoder, count, pack
from models.training.rows import Row
from models.types import Probability, TokenIds

_WHOLE = 480  # tokens of a context that is read as one pair
_BESIDE = 8  # windows that are read beside a claim with the sentence before it


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One window's answer beside one claim."""

    support: float
    entailment: float
    about: bool
    sentence: bool  # no run of several


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadClaim:
    """All answers for one claim."""

    windows: tuple[Read, ...]
    whole: float  # support by the whole context as one window, cut to what a pair can hold
    previous: float | None  # best support of the claim with the sentence before it; None for the first
    founded: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRow:
    """All answers for one row."""

    supported: bool
    claims: tuple[ReadClaim, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedClaim:
    """Which pairs are read of a claim, by their positions."""

    windows: tuple[tuple[int, bool, bool], ...]  # position, about, sentence: as in `Read`
    whole: int
    previous: tuple[int, ...]
    founded: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Rows, and every pair that is read of them, once."""

    rows: tuple[tuple[bool, tuple[AskedClaim, ...]], ...]  # whether it is supported, and its claims
    pairs: tuple[tuple[TokenIds, TokenIds], ...]  # window, claim

    def read(self, answers: Sequence[Probability]) -> list[ReadRow]:
        """The rows with the answers to the pairs."""
        return [
            ReadRow(supported=supported, claims=tuple(_read(claim, answers) for claim in claims))
            for supported, claims in self.rows
        ]


def read_all(model: Model, rows: Sequence[Row]) -> list[ReadRow]:
    """Every pair of every row, read once; rows that are not applicable or unscored are left out."""
    asked = ask(model.encoder, model.languages, rows)
    pairs = [model.encoder.join(window, claim) for window, claim in asked.pairs]
    return asked.read(model.backend.predict(pairs, lambda: None))


def ask(encoder: Encoder, languages: Sequence[str], rows: Sequence[Row]) -> Asked:
    """What is to be read of the rows."""
    planner = Planner(encoder=encoder, limits=Limits(), languages=frozenset(languages))
    pairs: dict[tuple[TokenIds, TokenIds], int] = {}
    asked = []
    for row in rows:
        plan = planner.plan(row.item)
        if isinstance(plan, Plan):
            asked.append((row.supported, tuple(_ask(encoder, row, plan, pairs))))
    return Asked(rows=tuple(asked), pairs=tuple(pairs))


def _ask(encoder: Encoder, row: Row, plan: Plan, pairs: dict[tuple[TokenIds, TokenIds], int]) -> Iterator[AskedClaim]:
    text = row.item.contexts[0].text
    context = encoder.encode(text).ids
    before = ""
    for claim in plan.claims:
        if not claim.ids:
            before = ""
            continue
        starts = {reading.window.first for reading in claim.readings}
        windows = [
            (
                pairs.setdefault((reading.ids, claim.ids), len(pairs)),
                reading.about,
                not any(reading.window.first < start < reading.window.last for start in starts),
            )
            for reading in claim.readings
        ]
        room = _WHOLE - count(claim.ids)
        whole = pairs.setdefault((pack(context[:room]), claim.ids), len(pairs))
        previous = []
        if before:
            both = pack(encoder.encode(f"{before} {claim.claim.text}").ids)
            previous = [pairs.setdefault((reading.ids, both), len(pairs)) for reading in claim.readings[:_BESIDE]]
        before = claim.claim.text
        yield AskedClaim(windows=tuple(windows), whole=whole, previous=tuple(previous), founded=not claim.missing)


def _read(claim: AskedClaim, answers: Sequence[Probability]) -> ReadClaim:
    return ReadClaim(
        windows=tuple(
            Read(
                support=PLAIN.support(answers[at]),
                entailment=answers[at].entailment,
                about=about,
                sentence=sentence,
            )
            for at, about, sentence in claim.windows
        ),
        whole=PLAIN.support(answers[claim.whole]),
        previous=max((PLAIN.support(answers[at]) for at in claim.previous), default=None),
        founded=claim.founded,
    )
