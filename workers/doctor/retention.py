"""Check of retention: what the policy says is too old is gone. Only workers that have the policy remove it."""

from collections.abc import Iterator
from datetime import timedelta

from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.errors import PolicyInvalidError
from service.core.policy import read_policy
from service.core.store.removal import count_due, next_tenant
from workers.doctor.finding import Finding, ok, warn
from workers.retention import due_removals

LATE = timedelta(hours=1)  # a worker that sweeps has long been there


def check_retention(settings: Settings, database: Database) -> Iterator[Finding]:
    """Nothing is kept longer than the policy allows; silent where it names no age, or is invalid, as its own check says."""
    try:
        privacy = read_policy(settings.policy_file).privacy
    except PolicyInvalidError:
        return
    if not privacy.removes_by_age:
        return
    late, tenant = 0, ""
    with database.read() as connection:
        while (found := next_tenant(connection, tenant)) is not None:
            tenant = found
            due = due_removals(tenant, privacy.of(tenant), utc_now() - LATE)
            late += sum(count_due(connection, removal).samples for removal in due)
    if late:
        fix = "Give workers this policy file as ASSAY_POLICY_FILE; they remove what is due, 1,000 samples a tick."
        yield warn("retention", f"{late:,} removals are over an hour late", fix)
    else:
        yield ok("retention", "nothing is older than the policy allows")
