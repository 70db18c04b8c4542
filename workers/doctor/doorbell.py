"""Checks of Redis. Losing it costs latency, never a sample: that alone is a warning."""

import contextlib
from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from service.core.config import Settings
from service.core.queue import connect
from workers.doctor.finding import Finding, masked, ok, warn
from workers.doctor.port import sidecar_reaches_redis

OLDEST = (6, 2)
UNTIL_THEN = "Until then nothing is lost; answers come seconds later."


def check_redis(settings: Settings) -> Iterator[Finding]:
    """Reachable, new enough, and set up as a queue needs it."""
    url = settings.redis_url.get_secret_value()
    with contextlib.closing(connect(url)) as client:
        try:
            server: Any = client.info("server")
        except (RedisError, OSError) as error:
            if "redis_url" not in settings.model_fields_set and sidecar_reaches_redis(settings):
                # `assay up` starts a Redis that only its own processes know.
                yield ok("redis", "the sidecar that runs here has one of its own, as `assay up` starts it")
                return
            fix = f"Start it, or correct ASSAY_REDIS_URL (`assay up` has a Redis of its own). {UNTIL_THEN}"
            yield warn("redis", f"{masked(url)} does not answer ({type(error).__name__})", fix)
            return
        yield _version(url, str(server.get("redis_version", "")))
        yield from _memory(client)
        yield from _persistence(client)
        yield _registered(client, settings.queue_name)


def _version(url: str, version: str) -> Finding:
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        return warn("redis", f"{masked(url)} is version {version or 'unknown'}", "Use Redis 6.2 or newer, or Valkey.")
    return ok("redis", f"{masked(url)} answers, version {version}")


def _memory(client: Redis) -> Iterator[Finding]:
    memory: Any = client.info("memory")
    policy, limit = str(memory.get("maxmemory_policy", "unknown")), int(memory.get("maxmemory", 0))
    if policy == "noeviction":
        yield ok("redis memory", f"{policy}; limit {f'{limit:,} bytes' if limit else 'none'}")
    else:
        fix = "Set maxmemory-policy noeviction: a full Redis would drop rings and the list of workers."
        yield warn("redis memory", f"policy {policy}", fix)


def _persistence(client: Redis) -> Iterator[Finding]:
    kept: Any = client.info("persistence")
    if kept.get("aof_enabled"):
        yield ok("redis persistence", "append-only file")
    else:
        fix = "In production set appendonly yes; without it a restart forgets rings, which the ticker makes up for."
        yield warn("redis persistence", "no append-only file", fix)


def _registered(client: Redis, queue_name: str) -> Finding:
    queue = Queue(queue_name, connection=client, serializer=JSONSerializer)
    workers, rings = Worker.count(queue=queue), queue.count
    text = f"{workers} workers listen on {queue_name!r}, {rings} rings wait"
    if workers:
        return ok("redis queue", text)
    return warn("redis queue", text, "Run `assay worker` with the same ASSAY_REDIS_URL and ASSAY_QUEUE_NAME.")
