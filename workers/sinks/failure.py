"""Why a notice did not arrive, and whether it is worth trying again."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from workers.outgoing import Answer

LONGEST_WAIT_S = 3_600.0
_WORTH_RETRYING = frozenset({408, 425, 429})


class SinkFailedError(Exception):
    """A notice did not arrive. The detail holds no secret, no path and nothing that the other side wrote."""

    def __init__(self, detail: str, *, retry: bool, retry_after_s: float | None = None) -> None:
        """Takes what happened, whether another try may help, and how many seconds it should wait, if that was said."""
        self.detail = detail
        self.retry = retry
        self.retry_after_s = retry_after_s
        super().__init__(detail)


def require_success(answer: Answer, now: datetime) -> None:
    """Raises SinkFailedError unless the answer says that the notice was taken."""
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
        return
    if 300 <= status < 400:  # noqa: PLR2004
        raise SinkFailedError(f"answered {status}: redirects are not followed, give the final address", retry=False)
    if status in _WORTH_RETRYING or status >= 500:  # noqa: PLR2004
        wait_s = _seconds(answer.retry_after, now)
        raise SinkFailedError(f"answered {status}", retry=True, retry_after_s=wait_s)
    raise SinkFailedError(f"answered {status}", retry=False)


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """What Retry-After asks for, in seconds or as a date; an hour at most. None: nothing that can be read."""
    if retry_after is None:
        return None
    text = retry_after.strip()[:64]
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_WAIT_S)
