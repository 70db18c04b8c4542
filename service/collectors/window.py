"""Windows up to now, the bounds of a reading, and whom it is about."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from service.core.store.rates import Counted, Stretch
from service.core.store.rollups import MINUTE_S, floor

LONG = "24h"
WINDOWS: Mapping[str, timedelta] = {LONG: timedelta(hours=24), "1h": timedelta(hours=1)}
MAX_TENANTS = 20  # the busiest; the others are counted


def stretch_of(tenant: str, now: datetime, window: str, *group_by: str) -> Stretch:
    """The window as one bucket, on whole minutes; the current one is in it."""
    begin, end = floor(now - WINDOWS[window], MINUTE_S), floor(now, MINUTE_S) + timedelta(seconds=MINUTE_S)
    return Stretch(tenant=tenant, start=begin, end=end, width_s=int((end - begin).total_seconds()), group_by=group_by)


def most_scored(counted: Counted) -> str | None:
    """The fingerprint that scored most; None where nothing was scored."""
    number: dict[str, int] = {}
    for row in counted.scores:
        number[row.fingerprint] = number.get(row.fingerprint, 0) + row.sums.number
    return max(sorted(number), key=lambda fingerprint: number[fingerprint], default=None)


class Allowance:
    """Rows that one reading may still cost the database."""

    def __init__(self, rows: int) -> None:
        """So many."""
        self._left = rows

    def take(self, rows: int) -> bool:
        """Whether there are so many left; if so they are spent."""
        if rows > self._left:
            return False
        self._left -= rows
        return True
