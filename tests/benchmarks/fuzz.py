"""Fuzzes a sidecar with ten thousand requests made from its OpenAPI document: `make fuzz`; minutes.

Prints what was sent, how it was answered, and each finding with a command that repeats it.
"""

import sys
import tempfile
from pathlib import Path

from tests.fuzzing import answered, decided, fuzz
from tests.servers import Installation

REQUESTS = 10_000
ROUND_S = 60
ROUNDS = 20


def main() -> int:
    """Fuzzes in rounds until enough was sent; 0 if nothing was found."""
    with tempfile.TemporaryDirectory(prefix="assay-fuzz-") as folder:
        root = Path(folder)
        (root / "policy.toml").write_text("[sampling]\nrate = 0.5\n")
        installation = Installation(
            {
                "ASSAY_DATABASE_URL": f"sqlite:///{root}/assay.db",
                "ASSAY_REDIS_URL": f"unix://{root}/none.sock",
                "ASSAY_SCORER": "fake",
                "ASSAY_TICKER_INTERVAL_S": "0.1",
                "ASSAY_POLICY_FILE": str(root / "policy.toml"),
            }
        )
        installation.assay("db", "upgrade").check_returncode()
        installation.start("sidecar", "serve")
        installation.start("worker", "worker")
        try:
            installation.await_ready()
            return _rounds(installation.base, root)
        finally:
            installation.stop()


def _rounds(base: str, root: Path) -> int:
    found = 0
    for number in range(ROUNDS):
        done = fuzz(base, root, seconds=ROUND_S)
        if done.returncode:
            found += 1
            print(done.stdout)
        sent = sum(answered(base).values())
        print(f"round {number + 1}: {sent} requests so far", flush=True)
        if sent >= REQUESTS:
            break
    _print_table(base)
    return min(found, 1)


def _print_table(base: str) -> None:
    statuses = answered(base)
    for (route, status), count in sorted(statuses.items()):
        print(f"{route:24} {status} {count:7}")
    print(f"{sum(statuses.values())} requests, {sum(n for (_, s), n in statuses.items() if s >= 500)} of them 5xx")
    print("submissions:", dict(decided(base)))


if __name__ == "__main__":
    sys.exit(main())
