"""The tenants with most traffic."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from service.core.keys import DEFAULT_TENANT
from service.core.store.rollups import DAY_S, floor
from service.core.tables import SCORES, Outcome, api_keys, rollups

LATELY = timedelta(days=1)
NO_SUBMISSIONS = (SCORES, Outcome.DUPLICATE)


def read_busiest(connection: Connection, now: datetime, limit: int) -> tuple[list[str], int]:
    """The tenants that submitted most today and yesterday, the busiest first, and how many more submitted anything.

    Two statements along keys, whatever number of submissions and days there is. Every tenant has a key but the default.
    """
    names = {DEFAULT_TENANT, *connection.execute(select(api_keys.c.tenant).distinct()).scalars()}
    statement = (
        select(rollups.c.tenant, func.sum(rollups.c.number).label("number"))
        .where(
            rollups.c.width_s == DAY_S,
            rollups.c.tenant.in_(sorted(names)),
            rollups.c.start >= floor(now - LATELY, DAY_S),
            rollups.c.outcome.not_in(NO_SUBMISSIONS),
        )
        .group_by(rollups.c.tenant)
    )
    submitted = {row.tenant: int(row.number) for row in connection.execute(statement)}
    # Who has only just begun is not summed up yet: named where there is room.
    ranked = sorted(names, key=lambda tenant: (-submitted.get(tenant, 0), tenant))
    return ranked[:limit], sum(tenant in submitted for tenant in ranked[limit:])
