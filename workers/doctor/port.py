"""Check of the sidecar's port: free, or held by Assay already."""

from collections.abc import Iterator
from typing import Any

import httpx

from service.core.config import Settings
from service.core.errors import StartRefusedError
from workers.doctor.finding import Finding, fail, ok
from workers.up import check_port

TIMEOUT_S = 3.0
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def check_address(settings: Settings) -> Iterator[Finding]:
    """Somebody else's program on the port would keep the sidecar from starting."""
    place = f"{settings.host}:{settings.port}"
    if settings.port == 0:
        yield ok("port", "any that is free")
        return
    try:
        check_port(settings)
    except StartRefusedError as error:
        if _is_assay(settings):
            yield ok("port", f"a sidecar answers on {place}")
        else:
            yield fail("port", f"{error.detail} What holds it is not Assay.", error.next_step)
    else:
        yield ok("port", f"{place} is free: no sidecar runs here")


def sidecar_reaches_redis(settings: Settings) -> bool:
    """Whether a sidecar answers at the settings' address and reports a Redis that answers."""
    said = _asked(settings, "/readyz")
    return isinstance(said, dict) and said.get("redis") == "up"


def _is_assay(settings: Settings) -> bool:
    return bool(_asked(settings, "/healthz") == {"status": "alive"})


def _asked(settings: Settings, path: str) -> Any:
    """What whoever holds the port answers; None if nothing that is JSON."""
    host = settings.host.strip("[]")
    name = ANYWHERE.get(host, f"[{host}]" if ":" in host else host)
    try:
        return httpx.get(f"http://{name}:{settings.port}{path}", timeout=TIMEOUT_S, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return None
