"""The machine that a bench runs on."""

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from service.core.clock import utc_now
from workers.bench.results import Machine

PACKAGES = ("assay-llm", "fastapi", "uvicorn", "pydantic", "sqlalchemy", "psycopg", "openvino")


def describe_machine() -> Machine:
    """What is known of this machine and of what is installed."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        load_before=round(os.getloadavg()[0], 2),
        measured_at=f"{utc_now():%Y-%m-%d %H:%M} UTC",
        versions={"python": platform.python_version(), "sqlite": sqlite3.sqlite_version} | _packages(),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def pin(process: int, core: int) -> bool:
    """Keeps a process (0 is this one) on one core; False where that cannot be done."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) <= core:
        return False
    os.sched_setaffinity(process, {core})
    return True
