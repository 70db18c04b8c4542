"""Upgrades at once: several processes may bring one database to head, as replicas do that start together."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.core.db import Database, current_revision, head_revision
from tests.servers import wait_for

PROCESSES = 3
UPGRADE = """
import sys, time
from pathlib import Path
from service.core.db import Database, upgrade

url, own, go = sys.argv[1:]
Path(own).touch()
while not Path(go).exists():
    time.sleep(0.001)
database = Database(url)
upgrade(database)
database.close()
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_upgrades_at_once(kind: str, make_url: Callable[[str], str], tmp_path: Path) -> None:
    """Each waits for the lock of the first and then finds nothing to do; none fails, and the schema is current."""
    url, go = make_url(kind), tmp_path / "go"
    ready = [tmp_path / f"ready-{n}" for n in range(PROCESSES)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, url, str(own), str(go)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        for own in ready
    ]
    wait_for(lambda: all(own.exists() for own in ready))
    go.touch()
    ended = [(process.communicate(timeout=60)[1].decode()[-2_000:], process.returncode) for process in processes]
    assert ended == [("", 0)] * PROCESSES
    database = Database(url)
    assert current_revision(database) == head_revision()
    database.close()
