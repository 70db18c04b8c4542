"""Measures what a newcomer waits for and what it takes: `make footprint` writes the table into README.md.

Clones the repository into an empty folder, runs `make run ARGS=--once` there, then starts an installation without
traffic to read the memory of its processes and the time from a worker's start to its first score.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from tests.servers import RedisServer, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
START, END = "<!-- footprint: made by `make footprint` -->", "<!-- /footprint -->"
BODY = {"contexts": ["The kettle boils two litres of water."], "response": "The kettle holds two litres."}


def main() -> None:
    """Measures, prints, and writes the table."""
    with tempfile.TemporaryDirectory(prefix="assay-footprint-") as folder:
        clone = Path(folder) / "assay"
        rows = [*_first_rate(clone), *_processes(clone)]
    table = "\n".join(["| what | measured | aim |", "|---|---|---|", *rows])
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    text = f"{START}\nOn a shared machine of {machine}:\n\n{table}\n{END}"
    readme = ROOT / "README.md"
    content = readme.read_text(encoding="utf-8")
    before, _, rest = content.partition(START)
    readme.write_text(before + text + rest.partition(END)[2], encoding="utf-8")
    sys.stdout.write(text + "\n")


def _first_rate(clone: Path) -> list[str]:
    environment = {**os.environ, "ASSAY_PORT": str(free_port())}
    started = time.perf_counter()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    subprocess.run(["make", "run", "ARGS=--once"], cwd=clone, env=environment, check=True)
    seconds = time.perf_counter() - started
    used = subprocess.run(["du", "-sm", ".venv"], cwd=clone, check=True, capture_output=True, text=True)
    return [
        f"| clone to first rate | {seconds / 60:.1f} min | 5 min |",
        f"| installed, the whole `.venv` | {used.stdout.split()[0]} MB | 300 MB |",
    ]


def _processes(clone: Path) -> list[str]:
    port = free_port()
    environment = {**os.environ, "ASSAY_PORT": str(port), "ASSAY_DATABASE_URL": f"sqlite:///{clone}/footprint.db"}
    redis = RedisServer(clone.parent)
    redis.start()
    environment["ASSAY_REDIS_URL"] = redis.url
    assay = str(clone / ".venv" / "bin" / "assay")
    subprocess.run([assay, "db", "upgrade"], cwd=clone, env=environment, check=True, stdout=subprocess.DEVNULL)
    sidecar = subprocess.Popen([assay, "serve"], cwd=clone, env=environment)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        wait_for(lambda: _ready(client))
        client.post("/score?wait=0.1", json={**BODY, "id": "first"})
        started = time.perf_counter()
        worker = subprocess.Popen([assay, "worker"], cwd=clone, env=environment)
        wait_for(lambda: client.get("/score/first").json()["status"] == "scored", every=0.02)
        cold_start = time.perf_counter() - started
        for number in range(50):
            client.post("/score?wait=30", json={**BODY, "id": f"more-{number}"})
        child = psutil.Process(worker.pid).children()[0]
        memory = [psutil.Process(sidecar.pid).memory_info().rss, child.memory_info().rss]
    for process in (worker, sidecar):
        process.terminate()
        process.wait(30)
    redis.kill()
    return [
        f"| worker's start to first score | {cold_start:.1f} s | 3 s |",
        f"| memory of the sidecar (resident) | {memory[0] / 2**20:.0f} MB | |",
        f"| memory of a worker (resident) | {memory[1] / 2**20:.0f} MB | 400 MB |",
    ]


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
