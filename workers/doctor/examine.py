"""The whole examination: every check, each by itself."""

from collections.abc import Iterator, Mapping

from service.core.config import Settings, read_settings
from service.core.errors import SettingsInvalidError
from workers.doctor.doorbell import check_redis
from workers.doctor.finding import Finding, examined, fail
from workers.doctor.machine import (
    check_cores,
    check_environment,
    check_extras,
    check_policy,
    check_python,
    check_scorer,
)
from workers.doctor.port import check_address
from workers.doctor.store import check_database

CHECKS = {
    "extras": check_extras,
    "cores": check_cores,
    "policy": check_policy,
    "database": check_database,
    "redis": check_redis,
    "port": check_address,
    "scorer": check_scorer,
}


def examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Findings as they come. Without valid settings there is nothing more to ask."""
    yield from examined("python", check_python)
    yield from examined("settings", lambda: check_environment(environment))
    try:
        settings: Settings = read_settings()
    except SettingsInvalidError as error:
        yield fail("settings", error.detail, error.next_step)
        return
    for name, check in CHECKS.items():
        yield from examined(name, lambda check=check: check(settings))  # type: ignore[misc]
