"""The recount: deltas made again from the rows of samples that have ended, where they were not written with them."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Float,
    Integer,
    Select,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    type_coerce,
)

from service.core.store.rollups import SUMS
from service.core.tables import SCORES, Outcome, State, rollup_deltas, samples, scores

MINUTE_US = 60_000_000
_SHARED = ("tenant", "model", "release", "prompt_version", "route", "stratum", "inclusion_probability")


def add_deltas_of_rows(connection: Connection, after: int) -> None:
    """Counts samples numbered over `after`, and their scores, as just ended; two statements."""
    for made in (_of_samples(after), _of_scores(after)):
        connection.execute(insert(rollup_deltas).from_select([column.name for column in made.selected_columns], made))


def _of_samples(after: int) -> Select[Any]:
    keys = _keys()
    outcome = case((samples.c.in_rate, samples.c.state), else_=Outcome.SAMPLED_OUT.value).label("outcome")
    zeros = [literal(0, Float() if name.startswith("score_") else BigInteger()).label(name) for name in SUMS[1:]]
    return (
        select(*keys, outcome, literal("").label("fingerprint"), func.count().label("number"), *zeros)
        .where(samples.c.seq > after, samples.c.state != State.PENDING)
        .group_by(*keys, outcome)
    )


def _of_scores(after: int) -> Select[Any]:
    keys = _keys()
    checked, flagged = cast(scores.c.claims_checked, BigInteger), cast(scores.c.claims_flagged, BigInteger)
    sums = {
        "flagged": cast(scores.c.flagged, Integer),
        "claims": checked,
        "claims_flagged": flagged,
        "claims_squares": checked * checked,
        "claims_flagged_squares": flagged * flagged,
        "claims_products": checked * flagged,
        "some_flagged": case((flagged > 0, 1), else_=0),
        "some_clean": case((flagged < checked, 1), else_=0),
        "score_sum": scores.c.score,
        "score_squares": scores.c.score * scores.c.score,
    }
    return (
        select(
            *keys,
            literal(SCORES).label("outcome"),
            scores.c.fingerprint,
            func.count().label("number"),
            *(func.sum(sums[name]).label(name) for name in SUMS[1:]),
        )
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(samples.c.seq > after, samples.c.in_rate)
        .group_by(*keys, scores.c.fingerprint)
    )


def _keys() -> list[Any]:
    moment = type_coerce(samples.c.received_at, BigInteger)
    return [(moment - moment % literal(MINUTE_US, BigInteger())).label("start"), *(samples.c[name] for name in _SHARED)]
