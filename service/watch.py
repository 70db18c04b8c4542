"""The watch: a thread that reads every few seconds what signals and budgets need to know."""

import threading
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from service.core.budget import Spent, allowed_scale
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import AssayError
from service.core.log import log, where
from service.core.policy import DEFAULT_STRATUM, Policy, Signal
from service.core.signals import DISLIKED_FOR, Situation
from service.core.store.removal import next_tenant
from service.core.store.rollups import floor
from service.core.store.situation import count_chosen, note_releases, read_arrivals, read_disliked, read_releases

EVERY_S = 5.0
MAX_NEW = 100  # releases noted at once, and in a process: callers who make them up must fill neither table nor memory
MAX_KNOWN = 20_000


class Watch:
    """Holds the newest situation. What cannot be read stays as it was."""

    def __init__(self, database: Database, policy: Callable[[], Policy], every_s: float = EVERY_S) -> None:
        """Starts nothing yet. `policy`: the one in force."""
        self._database = database
        self._policy = policy
        self._every_s = every_s
        self.situation = Situation()
        self._releases: set[tuple[str, str]] = set()  # noted already, or about to be
        self._new: set[tuple[str, str]] = set()
        self._tenants: set[str] = set()
        self._knows_tenants = False  # those in the database
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Reads once, so that no submission meets a budget unknown, and then again and again."""
        self._look_safely()
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread."""
        self._stop.set()
        self._thread.join()

    def note(self, tenant: str, release: str | None) -> None:
        """Notes who sends what; does no I/O."""
        if tenant not in self._tenants:
            self._tenants.add(tenant)
        if release is None or (tenant, release) in self._releases:
            return
        if len(self._new) < MAX_NEW and len(self._releases) < MAX_KNOWN:
            with self._lock:
                self._releases.add((tenant, release))
                self._new.add((tenant, release))

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._look_safely()

    def look(self) -> None:
        """Reads what the policy in force needs. Raises StoreUnavailableError."""
        for part in self._parts():
            part()

    def _parts(self) -> tuple[Callable[[], None], ...]:
        return (self._read_scales, self._note_new, self._read_signals)

    def _look_safely(self) -> None:
        """What one part cannot do hinders no other: budgets above all."""
        for part in self._parts():
            try:
                part()
            except AssayError as error:
                log.warning("watch_failed", error=error.code)
            except Exception as error:  # noqa: BLE001 - the thread must live: what was known stays
                log.error("watch_failed", error=where(error))

    def _read_scales(self) -> None:
        policy, now = self._policy(), utc_now()
        budget = policy.sampling.budget
        scales: dict[str, float] = {}
        if budget is not None:
            rates = rates_by_stratum(policy)
            with self._database.read() as connection:
                for tenant in sorted(self._all_tenants(connection)):
                    arrivals = read_arrivals(connection, tenant, now)
                    spending = budget.of(tenant)
                    begin = floor(now, spending.period_s)
                    spent = Spent(
                        samples=count_chosen(connection, tenant, begin, now),
                        wanted_per_s=sum(arrivals.get(name, 0.0) * rate for name, rate in rates.items()),
                        left_s=spending.period_s - (now - begin).total_seconds(),
                    )
                    scales[tenant] = allowed_scale(spending.most, spent)
        known = self.situation.scales
        self.situation = replace(self.situation, scales=scales)
        for tenant, scale in scales.items():
            if (scale < 1) is not (known.get(tenant, 1.0) < 1):
                event = "budget_lowers_sampling" if scale < 1 else "budget_leaves_sampling"
                log.info(event, tenant=tenant, scale=round(scale, 4))

    def _all_tenants(self, connection: Connection) -> set[str]:
        """Those that sent something to this process, and those that are known from before it."""
        if not self._knows_tenants:
            tenant = ""
            while (found := next_tenant(connection, tenant)) is not None:
                self._tenants.add(found)
                tenant = found
            self._knows_tenants = True
        return self._tenants.copy()

    def _read_signals(self) -> None:
        policy = self._policy()
        wanted = {signal for rule in policy.sampling.rules for signal in rule.signals}
        nothing = Situation()
        first_seen, disliked = nothing.first_seen, nothing.disliked
        if wanted & {Signal.NEW_RELEASE, Signal.NEGATIVE_FEEDBACK}:
            with self._database.read() as connection:
                if Signal.NEW_RELEASE in wanted:
                    first_seen = read_releases(connection)
                if Signal.NEGATIVE_FEEDBACK in wanted:
                    disliked = read_disliked(connection, utc_now() - DISLIKED_FOR)
        self.situation = replace(self.situation, first_seen=first_seen, disliked=disliked)

    def _note_new(self) -> None:
        with self._lock:
            new, self._new = self._new, set()
        if not new:
            return
        try:
            with self._database.write() as connection:
                note_releases(connection, new, utc_now())
        except AssayError:
            with self._lock:
                self._new |= new
            raise


def rates_by_stratum(policy: Policy) -> dict[str, float]:
    """The rate of each stratum, before any budget."""
    return {rule.name: rule.rate for rule in policy.sampling.rules} | {DEFAULT_STRATUM: policy.sampling.rate}
