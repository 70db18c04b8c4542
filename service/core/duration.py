"""Durations as people write them: 30m, 24h, 7d."""

import re
from datetime import timedelta

from service.core.errors import QueryInvalidError

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
LONGEST = timedelta(days=36_500)  # so that no sum of a few leaves the calendar


def parse_duration(text: str, field: str) -> timedelta:
    """The duration. Raises QueryInvalidError, which names the field."""
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if match is None or int(match[1]) == 0:
        raise QueryInvalidError("Must be a whole number and s, m, h, d or w, such as 30m, 24h or 7d.", field=field)
    duration = timedelta(seconds=int(match[1]) * UNITS[match[2]])
    if duration > LONGEST:
        raise QueryInvalidError(f"Must be at most {LONGEST.days}d.", field=field)
    return duration
