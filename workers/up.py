"""`assay up`: the whole of Assay on one machine: embedded Redis, SQLite, sidecar, worker, demo traffic."""

import contextlib
import os
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console

from models.backends.cores import physical_cores
from service.core.config import Settings
from service.core.db import Database, upgrade
from service.core.errors import StartRefusedError
from service.core.policy import read_policy
from workers.children import Children
from workers.demo import POLICY, read_pairs, replay, summary
from workers.embedded import redis_command

READY_S = 60.0
POLL_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class UpOptions:
    """What the command line asked for."""

    once: bool  # end after the summary
    demo: bool  # replay the demo traffic
    workers: int


class _InterruptedError(Exception):
    """Ctrl-C or SIGTERM."""


def up(settings: Settings, options: UpOptions, console: Console) -> None:
    """Runs everything until Ctrl-C. Raises StartRefusedError."""
    if settings.keys_required:
        raise StartRefusedError(
            "`assay up` is for one machine, on loopback and without keys.",
            next_step="Unset ASSAY_HOST and ASSAY_AUTH, or run `assay serve` and `assay worker` yourself.",
        )
    check_port(settings)
    upgrade_database(settings)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        children = Children(_environment(settings, Path(folder), demo=options.demo))
        # The policy is read again: by the sidecar when it is told, by workers when they see the file change.
        signal.signal(signal.SIGHUP, lambda _signum, _frame: children.hang_up("sidecar"))
        try:
            _run(settings, options, children, Path(folder), console)
        except _InterruptedError:
            console.print("\nStopping.")
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second Ctrl-C must not leave a child behind
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            children.stop()


def _interrupt(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise _InterruptedError


def check_port(settings: Settings) -> None:
    """Raises StartRefusedError if the sidecar's port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host.strip("[]"), settings.port))
        except OSError as error:
            raise StartRefusedError(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
                next_step="Set ASSAY_PORT to a free port, such as ASSAY_PORT=8001.",
            ) from None


def upgrade_database(settings: Settings) -> None:
    """Brings the schema to what this version needs."""
    with contextlib.closing(Database(settings.database_url.get_secret_value())) as database:
        upgrade(database)


def _environment(settings: Settings, folder: Path, *, demo: bool) -> dict[str, str]:
    # The children's routine lines would drown the summary; warnings still come through.
    environment = {} if "ASSAY_LOG_LEVEL" in os.environ else {"ASSAY_LOG_LEVEL": "WARNING"}
    if "ASSAY_REDIS_URL" not in os.environ:
        environment["ASSAY_REDIS_URL"] = f"unix://{folder / 'redis.sock'}"
    if demo and settings.policy_file is None:
        environment["ASSAY_POLICY_FILE"] = str(POLICY)
    return environment


def calls_models(settings: Settings) -> bool:
    """Whether the policy names a language model that a judge worker is to call. Raises PolicyInvalidError."""
    policy = read_policy(settings.policy_file)
    return policy.judge is not None or policy.consistency.generator is not None


def cores_for_each(settings: Settings, workers: int) -> dict[str, str]:
    """What divides the cores among several workers, where nobody chose their threads; a single one takes them all."""
    if workers == 1 or settings.threads:
        return {}
    return {"ASSAY_THREADS": str(max(1, len(physical_cores()) // workers))}


def _run(settings: Settings, options: UpOptions, children: Children, folder: Path, console: Console) -> None:
    base = f"http://{settings.host}:{settings.port}"
    if "ASSAY_REDIS_URL" in children.environment:
        children.start("Redis", redis_command(folder / "redis.sock", folder))
    command = [sys.executable, "-m", "workers.cli"]
    children.start("sidecar", [*command, "serve"])
    for _ in range(options.workers):
        children.start("worker", [*command, "worker"], environment=cores_for_each(settings, options.workers))
    if calls_models(settings):
        children.start("judge worker", [*command, "judge", "worker"])
    with httpx.Client(base_url=base, timeout=30.0) as client:
        _await_ready(client, children)
        console.print(f"Assay answers on {base}")
        if options.demo:
            _show_demo(client, children, console)
    if options.once:
        return
    _print_next(base, console)
    while True:
        time.sleep(POLL_S)
        children.restart_dead()


def _await_ready(client: httpx.Client, children: Children) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if client.get("/readyz").is_success:
                return
        time.sleep(0.1)
        children.restart_dead()
    raise StartRefusedError("The sidecar was not ready in a minute.", next_step="Its lines above say why.")


def _show_demo(client: httpx.Client, children: Children, console: Console) -> None:
    pairs = read_pairs()
    console.print(f"Replaying {len(pairs)} demo responses, every one sampled.")
    try:
        results = replay(client, pairs, console, children.restart_dead)
    except httpx.HTTPError as error:
        raise StartRefusedError(
            f"The demo traffic could not be replayed: {error}.", next_step="Its lines above say why."
        ) from error
    console.print(summary(results))
    console.print(
        "The flagged rate is what the NLI model says, at the threshold `strict`, which lets 95 of 100 clean "
        "answers pass and so misses many bad ones. Its interval covers sampling error only.",
        style="dim",
    )


def _print_next(base: str, console: Console) -> None:
    console.print(
        "\nTry next:\n"
        f"  curl -s '{base}/hallucination-rate?window=1h&group_by=release' | python3 -m json.tool\n"
        f"  curl -s '{base}/score?wait=10' -H 'content-type: application/json' -d \\\n"
        '    \'{"contexts": ["Returns are free within 30 days."], "response": "Returns are never free."}\'\n'
        f"  open {base}/docs\n"
        "Ctrl-C stops everything; the data stays in .assay/.",
        highlight=False,
        markup=False,
        soft_wrap=True,  # a command that is cut into lines cannot be copied
    )
