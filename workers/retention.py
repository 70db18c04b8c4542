"""Retention: what is older than the policy allows goes, a little at each tick. One worker at a time does it."""

import time
from dataclasses import asdict
from datetime import datetime, timedelta

from service.core.clock import utc_now
from service.core.db import Database
from service.core.log import log
from service.core.metrics import WorkerMetrics, count_kinds
from service.core.privacy import Privacy, Terms
from service.core.purge import purge
from service.core.store.removal import By, Depth, Removal, Removed, next_tenant
from service.core.tables import StoreText
from workers.policy_file import PolicyFile

SWEEP_BATCHES = 5  # of one sweep; then the tick goes on with its other work
REST_S = 10.0


class Retention:
    """Removes what the policy file lets go; without one nothing."""

    def __init__(
        self, *, database: Database, policy_file: PolicyFile | None, metrics: WorkerMetrics, rest_s: float = REST_S
    ) -> None:
        """Reads nothing yet. `rest_s`: how long to wait after a sweep that found no more to do."""
        self._database = database
        self._file = policy_file
        self._metrics = metrics
        self._rest_s = rest_s
        self._privacy = Privacy()
        self._tenant = ""  # where the next sweep goes on
        self._next_at = float("-inf")

    def sweep(self) -> Removed:
        """Removes some of what is due; cheap where nothing is. Raises StoreUnavailableError."""
        if self._file is None or time.monotonic() < self._next_at:
            return Removed()
        policy = self._file.read()
        self._privacy = policy.privacy if policy else Privacy()
        done, more = Removed(), False
        if self._privacy.removes_by_age:
            done, more = self._remove()
        if not more:
            self._next_at = time.monotonic() + self._rest_s
        if done:
            count_kinds(self._metrics.removed, asdict(done))
            log.info("retention_removed", **asdict(done))
        if done or self._privacy.of("").store_text is not StoreText.FULL or self._privacy.tenants:
            self._database.fold_log()
        return done

    def _remove(self) -> tuple[Removed, bool]:
        """What was removed, and whether the sweep ended before it was through all tenants."""
        done, batches = Removed(), 0
        while (tenant := self._next_tenant()) is not None:
            for removal in due_removals(tenant, self._privacy.of(tenant), utc_now()):
                for batch in purge(self._database, removal):
                    done += batch
                    batches += 1
                    if batches == SWEEP_BATCHES:
                        return done, True
            self._tenant = tenant
        self._tenant = ""
        return done, False

    def _next_tenant(self) -> str | None:
        with self._database.read() as connection:
            return next_tenant(connection, self._tenant)


def due_removals(tenant: str, terms: Terms, now: datetime) -> list[Removal]:
    """What the terms have removed of a tenant's samples by that time."""
    ages = ((Depth.ROWS, terms.row_days), (Depth.TEXTS, terms.text_days))
    return [
        Removal(tenant=tenant, depth=depth, by=By.RETENTION, before=now - timedelta(days=days), spare_taken=True)
        for depth, days in ages
        if days is not None
    ]
