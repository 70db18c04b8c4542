"""Examples of alerts: flagged claims, stored by their samples' rows, so that erasing a sample takes its id from here too."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from service.core.alert_tables import alert_examples
from service.core.alerting.notice import Example, path_of
from service.core.store.dialect import insert
from service.core.tables import Kept, samples


def add_examples(connection: Connection, event_seq: int, examples: Sequence[Example]) -> None:
    """Stores what an event's notice shows."""
    rows = [
        {
            "event_seq": event_seq,
            "place": place,
            "sample_seq": example.sample_seq,
            "claim": example.claim,
            "verdict": example.verdict,
        }
        for place, example in enumerate(examples)
    ]
    if rows:
        connection.execute(insert(connection, alert_examples), rows)


def read_examples(connection: Connection, event_seqs: Sequence[int]) -> Mapping[int, tuple[Example, ...]]:
    """By event, those whose samples are not erased; events without any are left out."""
    if not event_seqs:
        return {}
    shown = alert_examples.c
    statement = (
        select(shown.event_seq, shown.claim, shown.verdict, shown.sample_seq, samples.c.id)
        .join(samples, samples.c.seq == shown.sample_seq)
        .where(shown.event_seq.in_(event_seqs), samples.c.kept != Kept.ANONYMOUS)
        .order_by(shown.event_seq, shown.place)
    )
    found: dict[int, tuple[Example, ...]] = defaultdict(tuple)
    for row in connection.execute(statement):
        found[row.event_seq] += (
            Example(
                sample_id=row.id,
                claim=row.claim,
                verdict=row.verdict,
                path=path_of(row.id),
                sample_seq=row.sample_seq,
            ),
        )
    return dict(found)
