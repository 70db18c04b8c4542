"""Sampling in the caller's own process: the policy out, counts of what was not sent in."""

import hashlib
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from service.core.client_schemas import (
    ClientCount,
    CountedAnswer,
    RuleAnswer,
    SamplingAnswer,
    StratumAnswer,
)
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import ClientSamplingOffError, OverloadedError
from service.core.keys import Scope
from service.core.payload import parse_counts
from service.core.policy import DEFAULT_STRATUM, tenant_rules
from service.core.store.ledger import Flush, add_flush
from service.core.store.rollups import MINUTE_S, Place, floor
from service.core.tables import Outcome
from service.routes.problem import FAILURES, PROBLEM, READ_FAILURES
from service.sampling import DOMAIN
from service.state import authorize, read_body, sidecar_of

router = APIRouter(tags=["client sampling"])

REFRESH_S = 30.0
COUNTS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ClientCounts"},  # put there by service.openapi
                "example": {
                    "client": "web-1.4f1c",
                    "sequence": 7,
                    "counts": [
                        {
                            "age_s": 2.5,
                            "outcome": "sampled_out",
                            "stratum": "default",
                            "inclusion_probability": 0.05,
                            "policy_version": "f89f2f2449ae",
                            "release": "2026.2",
                            "submissions": 190,
                        }
                    ],
                },
            }
        },
    }
}


@router.get(
    "/sampling",
    responses=READ_FAILURES | {404: PROBLEM | {"description": "The policy lets no client decide; send everything."}},
)
async def sampling(request: Request) -> SamplingAnswer:
    """The policy as far as it concerns the caller's tenant, for clients that decide themselves. Ask again in 30 s."""
    caller = await authorize(request, Scope.INGEST)
    in_force = sidecar_of(request).intake.policy
    policy = in_force.policy
    if not policy.clients_decide:
        raise ClientSamplingOffError
    return SamplingAnswer(
        policy_version=in_force.version,
        domain=DOMAIN,
        salt=policy.sampling.salt,
        tenant=caller.tenant,
        rules=[
            RuleAnswer(stratum=rule.name, rate=rule.rate, match=match)
            for rule, match in tenant_rules(policy, caller.tenant)
        ],
        default=StratumAnswer(stratum=DEFAULT_STRATUM, rate=policy.sampling.rate),
        refresh_s=REFRESH_S,
    )


@router.post(
    "/counts",
    responses=FAILURES | {429: PROBLEM | {"description": "Too many kinds of counts; send them later."}},
    openapi_extra=COUNTS,
)
async def counts(request: Request) -> CountedAnswer:
    """Counts submissions that a client did not send. The same (client, sequence) is counted once."""
    caller = await authorize(request, Scope.INGEST)
    sidecar, sent, now = sidecar_of(request), parse_counts(await read_body(request)), utc_now()
    totals: Counter[Place] = Counter()
    for count in sent.counts:
        totals[_key(count, caller.tenant, now)] += count.submissions
    if not sidecar.client_keys.admit(caller.tenant, totals):
        raise OverloadedError(
            "Too many kinds of counts in one minute.", next_step="Send them later, and with fewer distinct labels."
        )
    flush = Flush(replica=_replica(caller.tenant, sent.client), sequence=sent.sequence, counts=totals)
    counted = await run_in_threadpool(_add, sidecar.database, flush, now)
    if counted:
        for key, submissions in totals.items():
            sidecar.metrics.client_counted.labels(key.outcome).inc(submissions)
    return CountedAnswer(counted=counted)


def _add(database: Database, flush: Flush, now: datetime) -> bool:
    with database.write() as connection:
        return add_flush(connection, flush, now)


def _key(count: ClientCount, tenant: str, now: datetime) -> Place:
    """Placed by its age on this machine's clock: a client's own clock may be anything."""
    counted_at = now - timedelta(seconds=count.age_s)
    return Place(
        minute=floor(counted_at, MINUTE_S),
        tenant=tenant,
        outcome=Outcome(count.outcome),
        stratum=count.stratum,
        inclusion_probability=count.inclusion_probability,
        model=count.model or "",
        release=count.release or "",
        prompt_version=count.prompt_version or "",
        route=count.route or "",
    )


def _replica(tenant: str, client: str) -> str:
    """A name apart from those of the sidecars and of other tenants' clients."""
    return "client-" + hashlib.sha256(f"{tenant}\n{client}".encode()).hexdigest()[:48]
