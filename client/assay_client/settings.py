"""Settings of a client: what it may hold, how long it may take, whom it tells of losses."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, fields

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Limits and intervals of a client. The defaults suit a web application beside its sidecar."""

    sample_locally: bool = True
    """Decide here which submissions are sent; off: send all, the server decides."""
    buffer_items: int = 10_000
    """Most submissions held at once. At the limit new ones are dropped and counted."""
    buffer_bytes: int = 64 * 2**20
    """Most memory of held texts in bytes."""
    batch_items: int = 200
    """Most submissions in one request; the server takes up to 1,000."""
    flush_interval_s: float = 0.5
    """Seconds between looks at the buffer."""
    counts_interval_s: float = 5.0
    """Seconds between reports of what was not sent."""
    request_timeout_s: float = 10.0
    """Seconds that one request may take in all."""
    max_age_s: float = 600.0
    """Seconds after which a submission that could not be delivered is given up."""
    exit_timeout_s: float = 3.0
    """Seconds that the exit of the interpreter may be held up to deliver the rest."""
    on_drop: Callable[[str, int], object] | None = None
    """Called with (reason, submissions) soon after a loss, on the sending thread; may raise, may not be slow."""
    verify: ssl.SSLContext | bool = True
    """How the server's certificate is checked, for an https URL; as httpx takes it."""

    def __post_init__(self) -> None:
        """Raises ValueError for a limit that is not positive: better at start than in production."""
        for setting in fields(self):
            value = getattr(self, setting.name)
            if isinstance(value, int | float) and not isinstance(value, bool) and not value > 0:
                raise ValueError(f"{setting.name} must be above 0, not {value!r}.")
