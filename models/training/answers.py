"""The answers: every pair of a labelled row, read once, so that they can be put together in other ways."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.limits import Limits
from models.load import Model
from models.pairs import Plan, Planner, Reading
from models.tokens import pack
from models.training.rows import Row

_WHOLE = 480  # tokens of a context that is read as one pair
_BESIDE = 8  # windows that are read beside a claim with the sentence before it


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One window's answer beside one claim."""

    entailment: float
    about: bool
    sentence: bool  # no run of several


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadClaim:
    """All answers for one claim."""

    windows: tuple[Read, ...]
    whole: float  # entailment by the whole context as one window, cut to what a pair can hold
    previous: float | None  # best entailment of the claim with the sentence before it; None for the first
    founded: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRow:
    """All answers for one row."""

    supported: bool
    claims: tuple[ReadClaim, ...]


def read_all(model: Model, rows: Sequence[Row]) -> list[ReadRow]:
    """Every pair of every row, read once; rows that are not applicable or unscored are left out."""
    planner = Planner(encoder=model.encoder, limits=Limits(), languages=frozenset(model.languages))
    asked: dict[tuple[bytes, bytes], int] = {}
    laid_out = []
    for row in rows:
        plan = planner.plan(row.item)
        if isinstance(plan, Plan):
            laid_out.append((row, list(_ask(model, row, plan, asked))))
    pairs = [model.encoder.join(window, claim) for window, claim in asked]
    entailed = [answer.entailment for answer in model.backend.predict(pairs, lambda: None)]
    return [
        ReadRow(
            supported=row.supported,
            claims=tuple(
                ReadClaim(
                    windows=tuple(
                        Read(entailment=entailed[at], about=reading.about, sentence=single)
                        for at, reading, single in windows
                    ),
                    whole=entailed[whole],
                    previous=max((entailed[at] for at in previous), default=None),
                    founded=founded,
                )
                for windows, whole, previous, founded in claims
            ),
        )
        for row, claims in laid_out
    ]


_Asked = tuple[list[tuple[int, Reading, bool]], int, list[int], bool]


def _ask(model: Model, row: Row, plan: Plan, asked: dict[tuple[bytes, bytes], int]) -> Iterator[_Asked]:
    text = row.item.contexts[0].text
    context = model.encoder.encode(text).ids
    before = ""
    for claim in plan.claims:
        if not claim.ids:
            before = ""
            continue
        starts = {reading.window.first for reading in claim.readings}
        windows = [
            (
                asked.setdefault((reading.ids, claim.ids), len(asked)),
                reading,
                not any(reading.window.first < start < reading.window.last for start in starts),
            )
            for reading in claim.readings
        ]
        room = _WHOLE - len(claim.ids) // 4  # ids are of four bytes
        whole = asked.setdefault((pack(context[:room]), claim.ids), len(asked))
        previous = []
        if before:
            both = pack(model.encoder.encode(f"{before} {claim.claim.text}").ids)
            previous = [asked.setdefault((reading.ids, both), len(asked)) for reading in claim.readings[:_BESIDE]]
        before = claim.claim.text
        yield windows, whole, previous, not claim.missing
