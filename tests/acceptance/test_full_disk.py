"""A full disk: what cannot be stored is refused with a reason, nothing is lost or damaged, and all goes on by itself."""

import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from service.sampling import position
from tests.servers import Installation, wait_for

pytestmark = pytest.mark.acceptance

RATE = 0.5


def ids(prefix: str, count: int, *, sampled: bool) -> list[str]:
    """Ids that the hash puts inside or outside the rate."""
    names = (f"{prefix}-{n}" for n in range(20 * count))
    return [name for name in names if (position(name, "") < RATE) is sampled][:count]


@dataclass
class Site:
    """An installation and the switch of its disk."""

    installation: Installation
    database: Path
    fill: Callable[[], None]
    free: Callable[[], None]

    def post(self, sample_id: str, response: str = "The kettle is blue.") -> httpx.Response:
        body = {"id": sample_id, "contexts": ["The kettle is blue."], "response": response}
        return httpx.post(f"{self.installation.base}/score", json=body, timeout=20)

    def ready(self) -> tuple[int, str]:
        answer = httpx.get(f"{self.installation.base}/readyz", timeout=20)
        return answer.status_code, answer.json()["database"]

    def counts(self) -> dict[str, int]:
        answer = httpx.get(f"{self.installation.base}/hallucination-rate", timeout=20).raise_for_status().json()
        return dict(answer["buckets"][0]["counts"])


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes; where none may be mounted the other mechanism alone shows the law."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("no right to mount; the test with the file size limit shows the same")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(params=["file size limit", "small disk"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    small = request.param == "small disk"
    folder: Path = request.getfixturevalue("mounted") if small else tmp_path
    policy = tmp_path / "policy.toml"
    policy.write_text(f"[sampling]\nrate = {RATE}\n")
    installation = Installation(
        {
            "ASSAY_DATABASE_URL": f"sqlite:///{folder}/assay.db",
            "ASSAY_REDIS_URL": f"unix://{tmp_path}/none.sock",
            "ASSAY_POLICY_FILE": str(policy),
            "ASSAY_FLUSH_INTERVAL_S": "0.1",
            "ASSAY_SCORER": "fake",
            "ASSAY_TICKER_INTERVAL_S": "0.3",
        }
    )

    def limit(size: int) -> None:
        for name in ("sidecar", "worker"):
            parent = psutil.Process(installation.processes[name].pid)
            for process in (parent, *parent.children()):
                process.rlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    filler = folder / "filler"

    def fill() -> None:
        if small:
            filler.write_bytes(b"x" * shutil.disk_usage(folder).free)
        else:
            limit(1)

    def free() -> None:
        if small:
            filler.unlink()
        else:
            limit(resource.RLIM_INFINITY)

    assert installation.assay("db", "upgrade").returncode == 0
    installation.start("sidecar", "serve")
    installation.start("worker", "worker")
    installation.await_ready()
    yield Site(installation, folder / "assay.db", fill, free)
    installation.stop()


def test_a_full_disk_loses_nothing_and_is_overcome(site: Site) -> None:
    """Samples are 503 with a reason, the rest is counted; with room again every accepted one is stored and scored."""
    slow = "The kettle is blue. [[fake:slow=2]]"
    before = ids("before", 3, sampled=True)
    for name in before:
        assert site.post(name, slow).status_code == 202
    wait_for(lambda: site.counts()["submitted"] == 3)
    site.fill()  # while the worker scores
    refused = ids("refused", 5, sampled=True)
    for name in refused:
        answer = site.post(name, "The kettle is blue. " * 2_000)
        assert (answer.status_code, answer.json()["code"], answer.json()["id"]) == (503, "store_unavailable", name)
        assert "Retry-After" in answer.headers
        assert "disk" in answer.json()["detail"]
    assert site.ready() == (503, "refuses_writes")
    left_out = ids("out", 20, sampled=False)
    for name in left_out:
        assert site.post(name).status_code == 202
    time.sleep(1.5)  # flushes and finishes fail meanwhile
    assert httpx.get(f"{site.installation.base}/healthz", timeout=1).status_code == 200
    site.free()
    wait_for(lambda: site.ready() == (200, "up"))
    for name in refused:
        assert site.post(name).status_code == 202
    wait_for(lambda: site.counts()["scored"] == len(before) + len(refused))
    wait_for(lambda: site.counts()["sampled_out"] == len(left_out))
    assert site.counts()["submitted"] == len(before) + len(refused) + len(left_out)
    assert all(process.poll() is None for process in site.installation.processes.values())
    with sqlite3.connect(site.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
