"""Traffic of the past as sums, for tests that need days of it: what became of submissions, minute by minute."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.core.db import Database
from service.core.store.rollups import Place, Sums, add_deltas, fold
from service.core.tables import SCORES, State


@dataclass(frozen=True, kw_only=True)
class Minute:
    """What was scored of one group in one minute; each response has two claims, and of a flagged one, one is flagged."""

    at: datetime
    scored: int
    flagged: int = 0
    unscored: int = 0
    route: str = ""
    tenant: str = "default"
    fingerprint: str = "f1"
    probability: float = 0.5

    def sums(self) -> Iterator[tuple[Place, Sums]]:
        """As they are stored."""
        place: dict[str, Any] = {
            "minute": self.at,
            "tenant": self.tenant,
            "stratum": "default",
            "inclusion_probability": self.probability,
            "route": self.route,
        }
        for state, number in ((State.SCORED, self.scored), (State.UNSCORED, self.unscored)):
            if number:
                yield Place(outcome=state, **place), Sums(number=number)
        if self.scored:
            yield (
                Place(outcome=SCORES, fingerprint=self.fingerprint, **place),
                Sums(
                    number=self.scored,
                    flagged=self.flagged,
                    claims=2 * self.scored,
                    claims_flagged=self.flagged,
                    claims_squares=4 * self.scored,
                    claims_flagged_squares=self.flagged,
                    claims_products=2 * self.flagged,
                    some_flagged=self.flagged,
                    some_clean=self.scored,
                ),
            )


def add_traffic(database: Database, minutes: Iterable[Minute]) -> None:
    """Stores it, in the sums that rates are read from."""
    with database.write() as connection:
        add_deltas(connection, [pair for minute in minutes for pair in minute.sums()])
        while fold(connection, 10_000):
            pass
