"""The query of a rate: which stretch of time it means, and which parameter a refusal names."""

from datetime import UTC, datetime

import pytest

from service.core.errors import QueryInvalidError
from service.core.rate_query import RateQuery, read_confidence, read_stretch, read_unit
from service.core.store.rates import Stretch

NOW = datetime(2026, 7, 3, 8, 30, 20, tzinfo=UTC)


def meant(**query: str) -> Stretch:
    return read_stretch(RateQuery(tenant="default", **query), NOW)


def test_window_reaches_back_from_to() -> None:
    """`window` is short for from = to - window."""
    found = meant(to="2026-07-02T00:00:00Z", window="24h")
    assert (found.start, found.end) == (datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC))


def test_times_widen_to_whole_minutes() -> None:
    """A stretch that begins or ends within a minute takes the whole of it: sums are kept by the minute."""
    found = meant(start="2026-07-01T12:01:59.5Z", to="2026-07-01T13:00:00.000001Z")
    assert (found.start, found.end) == (
        datetime(2026, 7, 1, 12, 1, tzinfo=UTC),
        datetime(2026, 7, 1, 13, 1, tzinfo=UTC),
    )


def test_older_times_widen_to_whole_hours() -> None:
    """Sums by the minute are kept for two days; what is older is cut at whole hours."""
    found = meant(start="2026-06-30T12:59:00Z", to="2026-07-01T07:01:00Z")
    assert (found.start, found.end) == (
        datetime(2026, 6, 30, 12, tzinfo=UTC),
        datetime(2026, 7, 1, 8, tzinfo=UTC),
    )
    assert meant(start="2026-06-30T12:59:00Z", to="2026-07-01T08:01:00Z").end.minute == 1


def test_buckets_begin_at_multiples_of_their_width() -> None:
    """Two people who ask for days get the same days, of UTC; weeks begin on Mondays."""
    found = meant(window="36h", granularity="1d")
    assert (found.start, found.end) == (datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 3, 8, 31, tzinfo=UTC))
    assert meant(window="1d", granularity="1w").start == datetime(2026, 6, 29, tzinfo=UTC)
    assert meant(window="1h", granularity="20m").start == datetime(2026, 7, 3, 7, 20, tzinfo=UTC)


def test_whole_minutes_are_those_of_utc() -> None:
    """A zone whose offset has seconds does not shift the minutes, by which the ledger counts."""
    found = meant(start="2026-07-01T12:00:00+00:00:30", to="2026-07-01T13:00:00Z")
    assert found.start.astimezone(UTC).second == 0


def test_plus_of_a_zone_may_arrive_as_a_space() -> None:
    """A `+` that a client did not encode arrives as a space and is still a zone."""
    found = meant(start="2026-07-01T12:00:00 02:00", to="2026-07-01T13:00:00Z")
    assert found.start == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)


def test_without_granularity_one_bucket() -> None:
    """Without a granularity the whole stretch is one bucket."""
    assert meant(to="2026-07-02T00:00:00Z", window="90m").width_s == 5_400


def test_groups_keep_their_order_once() -> None:
    """Dimensions group in the order asked for, each once."""
    assert meant(group_by="route, release,route").group_by == ("route", "release")


@pytest.mark.parametrize(("text", "width"), [("60s", 60), ("5m", 300), ("1h", 3_600), ("2d", 172_800), ("1w", 604_800)])
def test_durations(text: str, width: int) -> None:
    """A duration is a whole number with its unit."""
    assert meant(granularity=text).width_s == width


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start": "2026-07-01T12:00:00"}, "from"),
        ({"start": "yesterday"}, "from"),
        ({"start": "1969-12-31T23:59:59Z"}, "from"),
        ({"start": "2026-07-02T00:00:00Z", "to": "2026-07-01T00:00:00Z"}, "from"),
        ({"start": "2026-07-01T00:00:00Z", "to": "2026-07-01T00:00:00Z"}, "from"),
        ({"to": "9999-12-31T23:59:59Z"}, "to"),
        ({"to": ""}, "to"),
        ({"start": "2026-07-01T00:00:00Z", "window": "1h"}, "window"),
        ({"window": "0h"}, "window"),
        ({"window": "1.5h"}, "window"),
        ({"window": "-1h"}, "window"),
        ({"window": "٣h"}, "window"),
        ({"window": "999999w"}, "window"),
        ({"granularity": "90s"}, "granularity"),
        ({"granularity": "1y"}, "granularity"),
        ({"granularity": "90m", "window": "3d"}, "granularity"),
        ({"window": "52w", "granularity": "1m"}, "granularity"),
        ({"group_by": "customer"}, "group_by"),
        ({"group_by": "route,"}, "group_by"),
    ],
)
def test_refusal_names_the_parameter(query: dict[str, str], field: str) -> None:
    """A wrong parameter is named by the name that the caller used."""
    with pytest.raises(QueryInvalidError) as caught:
        meant(**query)
    assert caught.value.field == field


def test_default_is_the_last_day() -> None:
    """Without times the last 24 hours are meant, widened to whole minutes."""
    found = meant()
    assert (found.start, found.end) == (
        datetime(2026, 7, 2, 8, 30, tzinfo=UTC),
        datetime(2026, 7, 3, 8, 31, tzinfo=UTC),
    )


@pytest.mark.parametrize("text", ["0.5", "0.95", "0.9999"])
def test_confidence_within_its_range(text: str) -> None:
    """The ends of the range belong to it."""
    assert read_confidence(text) == float(text)


@pytest.mark.parametrize("text", ["0.49", "1", "95", "nan", "inf", "-0.9", "high", ""])
def test_confidence_beyond_its_range(text: str) -> None:
    """A confidence of 95 is a mistake for 0.95, and refused."""
    with pytest.raises(QueryInvalidError) as caught:
        read_confidence(text)
    assert caught.value.field == "confidence"


def test_unknown_unit() -> None:
    """A rate is of responses or of claims."""
    with pytest.raises(QueryInvalidError) as caught:
        read_unit("sentence")
    assert caught.value.field == "unit"
