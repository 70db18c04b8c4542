"""The evaluator: a thread that holds every alert rule against the database; one worker at a time, elected by a lease."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from sqlalchemy import Connection

from service.core.alert_reading import read_rule
from service.core.alerting.change import Change, changes
from service.core.alerting.machine import Event, Reading
from service.core.alerting.reading import Group
from service.core.alerting.rule import AlertRule
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import AssayError
from service.core.log import log, where
from service.core.metrics import WorkerMetrics
from service.core.policy import Policy
from service.core.store.alerts import (
    add_event,
    forget_events,
    incident_of,
    next_alert_tenant,
    read_standings,
    read_told,
    remembered_rules,
    write_standings,
)
from service.core.store.leases import acquire
from service.core.store.removal import next_tenant
from service.core.store.silences import Silence, read_silences
from workers.alerts.evidence import read_examples, read_worst
from workers.alerts.notices import Evidence, notice_of
from workers.policy_file import PolicyFile
from workers.progress import GRACE_S, Progress

LEASE_NAME = "alerts"
RENEW_S = 8.0
LEASE_RENEWALS = 3  # missed, after which another worker takes over from one that is dead or stuck
LEAST_LEASE_S = 5.0  # far longer than a look takes
SETTLED_AT_ONCE = 500  # groups of rules whose states are written together
EVENTS_KEPT = timedelta(days=400)
FORGET_EVERY_S = 3_600.0
FORGOTTEN_AT_ONCE = 500
SHOWN = frozenset({Event.FIRING, Event.STILL_FIRING})  # events with examples and worst groups


class Evaluator:
    """Looks once an interval while it is the elected one."""

    def __init__(
        self,
        *,
        database: Database,
        policy_file: PolicyFile,
        metrics: WorkerMetrics,
        progress: Progress,
        interval_s: float,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Starts nothing yet. `interval_s`: between two looks at the rules."""
        self._database = database
        self._file = policy_file
        self._metrics = metrics
        self._progress = progress
        self._interval_s = interval_s
        self._renew_s = min(RENEW_S, interval_s)
        self._lease_s = max(LEAST_LEASE_S, LEASE_RENEWALS * self._renew_s)
        self._clock = clock
        self._name = uuid4().hex
        self._next_at = float("-inf")
        self._forgotten_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Starts looking."""
        self._thread.start()

    def join(self) -> None:
        """Waits for the last look, after a stop was requested; what is not written, the next leader writes."""
        self._thread.join(GRACE_S)

    def _run(self) -> None:
        while True:
            try:
                self._turn()
            except AssayError as error:
                self._metrics.evaluations.labels("failed").inc()
                log.warning("alerts_not_evaluated", error=error.code)
            except Exception as error:  # noqa: BLE001 - the thread must live: the next look tries again
                self._metrics.evaluations.labels("failed").inc()
                log.error("alerts_not_evaluated", error=where(error))
            if self._progress.wait(self._renew_s):
                return

    def _turn(self) -> None:
        if not self._leads() or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + self._interval_s
        if self.look():
            self._metrics.evaluations.labels("done").inc()
            self._forget()

    def _leads(self) -> bool:
        with self._database.write() as connection:
            return acquire(connection, LEASE_NAME, self._name, self._lease_s)

    def look(self) -> bool:
        """Evaluates all rules of all tenants; False if no policy could be read yet. Raises StoreUnavailableError."""
        policy = self._file.read()
        if policy is None:
            return False
        for tenant in self._tenants():
            if self._progress.stopping:
                break
            try:
                self._look_at(policy, tenant)
            except AssayError:
                raise
            except Exception as error:  # noqa: BLE001 - other tenants go on
                self._metrics.evaluations.labels("failed").inc()
                log.error("alerts_not_evaluated", tenant=tenant, error=where(error))
        return True

    def _tenants(self) -> list[str]:
        """All that ever sent anything, and all that something is remembered of."""
        found: set[str] = set()
        with self._database.read() as connection:
            for following in (next_tenant, next_alert_tenant):
                name: str | None = ""
                while (name := following(connection, name or "")) is not None:
                    found.add(name)
        return sorted(found)

    def _look_at(self, policy: Policy, tenant: str) -> None:
        now = self._clock()
        rules = [rule for rule in policy.alert_rules if rule.is_of(tenant)]
        names = {rule.name for rule in rules}
        with self._database.read() as connection:
            removed = remembered_rules(connection, tenant) - names
        read: dict[str, Mapping[Group, Reading]] = {}
        begun = time.monotonic()
        for rule in rules:
            if self._progress.stopping:
                return
            self._read(rule, tenant, now, read)
            # Not too many at once: writers wait meanwhile, and the lead must be renewed.
            if sum(map(len, read.values())) >= SETTLED_AT_ONCE or time.monotonic() - begun >= self._renew_s:
                self._settle(policy, tenant, _Look(rules, read, removed, now))
                read, removed, begun = {}, set(), time.monotonic()
        if read or removed:
            self._settle(policy, tenant, _Look(rules, read, removed, now))

    def _settle(self, policy: Policy, tenant: str, look: "_Look") -> None:
        """What follows from some of the rules, in one transaction."""
        with self._database.read() as connection:
            expected = _changes(connection, tenant, look)
        evidence = self._evidence(expected, tenant, look.now)
        with self._database.write() as connection:
            # Whoever took over since has seen more: what was read here counts for nothing.
            if not acquire(connection, LEASE_NAME, self._name, self._lease_s):
                log.warning("alerts_lead_lost", tenant=tenant)
                return
            changed = _changes(connection, tenant, look)
            write_standings(connection, tenant, changed, look.now)
            for change in changed:
                self._write_event(connection, policy, tenant, change, look.now, evidence)

    def _read(self, rule: AlertRule, tenant: str, now: datetime, read: dict[str, Mapping[Group, Reading]]) -> None:
        """What its window says; a rule that cannot be read is left out, and hinders no other."""
        try:
            with self._database.read() as connection:
                read[rule.name] = read_rule(connection, rule, tenant, now)
        except AssayError as error:
            log.warning("alert_not_read", tenant=tenant, rule=rule.name, error=error.code)
            self._metrics.evaluations.labels("rule_failed").inc()
        except Exception as error:  # noqa: BLE001 - other rules go on
            log.error("alert_not_read", tenant=tenant, rule=rule.name, error=where(error))
            self._metrics.evaluations.labels("rule_failed").inc()

    def _evidence(self, expected: Sequence[Change], tenant: str, now: datetime) -> Evidence:
        """What notices will show. One without it is told all the same: so are the last of very many."""
        found = {}
        begun = time.monotonic()
        for change in expected:
            if time.monotonic() - begun >= self._renew_s:
                break
            if change.told is None or change.told.event not in SHOWN or change.rule is None:
                continue
            try:
                with self._database.read() as connection:
                    found[change.name, change.group] = (
                        read_worst(connection, change.rule, change.group, tenant, now),
                        read_examples(connection, change.rule, change.group, tenant, now),
                    )
            except Exception as error:  # noqa: BLE001 - it is beside the point
                log.warning("alert_evidence_not_read", tenant=tenant, rule=change.name, error=where(error))
        return found

    def _write_event(
        self, connection: Connection, policy: Policy, tenant: str, change: Change, now: datetime, evidence: Evidence
    ) -> None:
        told = change.told
        if told is None:
            return
        incident = incident_of(tenant, change.name, change.group)
        before, were_told = read_told(connection, incident)
        notice = notice_of(tenant, change, told, now, evidence, before)
        if notice is None:  # nothing was ever written of it
            return
        if told.silenced:
            sinks: list[str] = []
        elif told.event is Event.RESOLVED:
            sinks = were_told  # whoever was told that it fires, whatever the policy says now
        else:
            sinks = policy.sinks_of(change.rule, tenant) if change.rule else []
        add_event(connection, notice, sinks, silenced=told.silenced)
        self._metrics.alert_events.labels(told.event.value).inc()
        log.info(
            "alert", tenant=tenant, rule=change.name, told=told.event.value, silenced=told.silenced, sinks=len(sinks)
        )

    def _forget(self) -> None:
        if time.monotonic() - self._forgotten_at < FORGET_EVERY_S:
            return
        self._forgotten_at = time.monotonic()
        while True:
            with self._database.write() as connection:
                if forget_events(connection, self._clock() - EVENTS_KEPT, FORGOTTEN_AT_ONCE) == 0:
                    return


@dataclass(frozen=True, slots=True)
class _Look:
    """Some of a tenant's rules, as they were read."""

    rules: Sequence[AlertRule]  # all in force
    read: Mapping[str, Mapping[Group, Reading]]
    removed: AbstractSet[str]  # names of rules that are no more
    now: datetime


def _changes(connection: Connection, tenant: str, look: _Look) -> list[Change]:
    silences = read_silences(connection, tenant, look.now)
    held = [standing.held for standing in read_standings(connection, tenant, look.read.keys() | look.removed)]
    return changes(look.rules, look.read, held, partial(_is_silenced, silences), look.now)


def _is_silenced(silences: Sequence[Silence], rule: str, group: Mapping[str, str]) -> bool:
    return any(silence.covers(rule, group) for silence in silences)
