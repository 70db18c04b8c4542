"""What the laws quantify over."""

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from service.core.estimate import Cell
from service.core.fields import LEAST_RATE
from service.core.store.rates import ScoreRow, StateRow
from service.core.store.rollups import Sums
from service.core.tables import Outcome, State

LAW = settings(deadline=None)  # a shared machine may stall in the middle of any example

# --- sampling and policies

RATES = st.just(0.0) | st.floats(LEAST_RATE, 1)
UNITS = st.text(min_size=1, max_size=40)  # hypothesis leaves surrogates out of what is encoded
SALTS = st.text(max_size=10)
NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True).filter(lambda name: name != "default")
VALUES = st.sampled_from(["a", "b", "c", ""])
MATCHED_FIELDS = st.sampled_from(["route", "model", "release", "tenant", "tags.plan", "tags.x"])
MATCHES = st.dictionaries(
    MATCHED_FIELDS, st.one_of(VALUES, st.lists(VALUES, min_size=1, max_size=3)), min_size=1, max_size=3
)
SENT_FIELDS = st.dictionaries(MATCHED_FIELDS, VALUES)
RULES = st.lists(
    st.fixed_dictionaries({"name": NAMES, "rate": RATES, "match": MATCHES}),
    max_size=4,
    unique_by=lambda rule: rule["name"],
)
POLICIES = st.fixed_dictionaries({"rate": RATES, "salt": SALTS, "rules": RULES})


def toml(policy: dict[str, Any], *, turned: bool = False) -> str:
    """A policy file that says this; `turned`: with its keys in the other order, and comments."""

    def table(values: dict[str, Any]) -> list[str]:
        lines = [f"{_text(name)} = {_value(value)}" for name, value in values.items()]
        return [f"{line}  # {line!r}" for line in reversed(lines)] if turned else lines

    lines = ["[sampling]", *table({"rate": policy["rate"], "salt": policy["salt"]})]
    for rule in policy["rules"]:
        lines += ["[[sampling.rules]]", *table(rule)]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=True) if _plain(value) else _escaped(value)


def _plain(value: str) -> bool:
    return all(" " <= character <= "~" for character in value)


def _escaped(value: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'


def _value(value: Any) -> str:
    match value:
        case str():
            return _text(value)
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case dict():
            return "{ " + ", ".join(f"{_text(name)} = {_value(item)}" for name, item in value.items()) + " }"
        case number:
            return repr(float(number))


# --- payloads

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
LABELS = TEXTS.filter(bool)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
IDS = st.lists(
    st.from_regex(r"[A-Za-z0-9._:@+=~-]{1,10}", fullmatch=True).filter(lambda part: part not in {".", ".."}),
    min_size=1,
    max_size=3,
).map("/".join)
CONTEXTS = st.one_of(TEXTS, st.fixed_dictionaries({"text": TEXTS}, optional={"score": NUMBERS}))
SUBMISSIONS = st.fixed_dictionaries(
    {"response": TEXTS},
    optional={
        "id": IDS,
        "question": TEXTS,
        "contexts": st.one_of(TEXTS, st.lists(CONTEXTS, max_size=4)),
        "samples": st.lists(TEXTS, max_size=3),
        "model": LABELS,
        "release": LABELS,
        "trace_id": LABELS,
        "latency_ms": st.floats(0, 1e9),
        "tags": st.dictionaries(LABELS, TEXTS, max_size=3),
        "features": st.dictionaries(LABELS, NUMBERS, max_size=3),
    },
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=12,
)
# Bodies that nobody meant to send: bytes, any JSON, and submissions with any JSON in place of a field.
BODIES = st.one_of(
    st.binary(max_size=60),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda sent, name, value: json.dumps(sent | {name: value}).encode(),
        SUBMISSIONS,
        st.one_of(
            st.sampled_from(["contexts", "usage", "tags", "features", "occurred_at", "samples", "id", "answer"]),
            st.text(max_size=10),
        ),
        JSON,
    ),
)

# --- rates

PROBABILITIES = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.5, 1.0])
CONFIDENCES = st.floats(0.5, 0.9999)


@st.composite
def response_cells(draw: st.DrawFn, *, unknown: int = 20) -> Cell:
    """Responses of one inclusion probability: one unit each."""
    scored = draw(st.integers(0, 200))
    k = draw(st.integers(0, scored))
    return Cell(
        inclusion_probability=draw(PROBABILITIES),
        scored=scored,
        k=k,
        m=scored,
        kk=k,
        km=k,
        mm=scored,
        unknown=draw(st.integers(0, unknown)),
    )


@st.composite
def claim_cells(draw: st.DrawFn) -> Cell:
    """Responses with some claims each, some of them flagged."""
    rows = draw(st.lists(st.integers(1, 8).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))), max_size=30))
    return Cell(
        inclusion_probability=draw(PROBABILITIES),
        scored=len(rows),
        k=sum(k for k, _ in rows),
        m=sum(m for _, m in rows),
        kk=sum(k * k for k, _ in rows),
        km=sum(k * m for k, m in rows),
        mm=sum(m * m for _, m in rows),
    )


CELLS = st.lists(st.one_of(response_cells(), claim_cells()), max_size=5)
RESPONSE_CELLS = st.lists(response_cells(), max_size=5)
KNOWN_CELLS = st.lists(response_cells(unknown=0), max_size=5)

# A stretch as the store reads it: (bucket, group, outcome, probability, submissions, share of them flagged).
_ROW = st.tuples(
    st.integers(0, 1),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from([*State, *Outcome]),
    PROBABILITIES,
    st.integers(1, 50),
    st.floats(0, 1),
)


@st.composite
def stretches(draw: st.DrawFn) -> tuple[list[StateRow], list[ScoreRow]]:
    """State rows of distinct places, and the score rows of the scored ones, under up to two fingerprints."""
    rows = draw(st.lists(_ROW, max_size=12, unique_by=lambda row: row[:4]))
    states, scores = [], []
    for bucket, group, outcome, probability, submissions, share in rows:
        place = {"bucket": bucket, "group": (group,), "inclusion_probability": probability}
        states.append(StateRow(**place, outcome=str(outcome), submissions=submissions))
        if outcome == State.SCORED:
            split = draw(st.integers(0, submissions))
            for fingerprint, scored in (("f1", split), ("f2", submissions - split)):
                if scored:
                    sums = Sums(number=scored, flagged=int(share * scored))
                    scores.append(ScoreRow(**place, fingerprint=fingerprint, sums=sums))
    return states, scores
