"""A purge: removal batch by batch, each a transaction of its own, until nothing is left or the caller has enough."""

import time
from collections.abc import Iterator

from service.core.clock import utc_now
from service.core.db import Database
from service.core.store.comments import remove_comments
from service.core.store.removal import Removal, Removed, remove_batch

BATCH_ROWS = 200  # of one transaction, so that nobody waits long for it
REST_S = 0.03  # between two, so that others get their turn: SQLite knows no queue for writers


def purge(database: Database, removal: Removal) -> Iterator[Removed]:
    """Yields what each batch removed; ends when nothing is left. Raises StoreUnavailableError."""
    # First: with its row, a sample loses what its comments are found by.
    while True:
        with database.write() as connection:
            comments = remove_comments(connection, removal, BATCH_ROWS)
        if comments == 0:
            break
        yield Removed(comments=comments)
        time.sleep(REST_S)
    while True:
        with database.write() as connection:
            batch = remove_batch(connection, removal, utc_now(), BATCH_ROWS)
        if batch.samples:
            yield batch
        if batch.samples < BATCH_ROWS:
            return
        time.sleep(REST_S)
