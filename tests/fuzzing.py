"""Fuzzing by schemathesis: requests made from the OpenAPI document, answers held against it."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx

# Not held: "valid data is accepted", since JSON Schema cannot say all that is refused (U+0000, two contexts of one id,
# a name beside its alias); "what was made can be read", since an unsampled submission has no row; keys, which this
# installation does not ask for.
LEFT_OUT = "positive_data_acceptance,ensure_resource_availability,ignored_auth,use_after_free"
_METRIC = re.compile(r'assay_request_seconds_count\{route="([^"]*)",status="(\d+)"\} ([\d.e+]+)')


def fuzz(base: str, folder: Path, *, seconds: int, seed: int | None = None) -> "subprocess.CompletedProcess[str]":
    """Fuzzes a running sidecar for so long; the exit status is 0 if nothing was found."""
    config = folder / "schemathesis.toml"
    # A batch is answered 200 whatever its items are: each has its own result.
    config.write_text('[[operations]]\ninclude-path = "/score/batch"\nchecks.negative_data_rejection.enabled = false\n')
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"]
    command += [f"{base}/openapi.json", "--max-time", str(seconds), "--exclude-checks", LEFT_OUT]
    command += ["--no-shrink", "--continue-on-failure", "--no-color", "--suppress-health-check", "all"]
    command += ["--warnings", "off", "--request-timeout", "40"]  # `wait` may take 30 s
    command += [] if seed is None else ["--seed", str(seed)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds + 120, check=False)


def answered(base: str) -> Counter[tuple[str, int]]:
    """Requests that the sidecar has answered, by route and status, as it counts them itself."""
    text = httpx.get(f"{base}/metrics", timeout=10).raise_for_status().text
    return Counter({(route, int(status)): int(float(count)) for route, status, count in _METRIC.findall(text)})


def decided(base: str) -> Counter[str]:
    """Submissions by decision, as it counts them itself."""
    text = httpx.get(f"{base}/metrics", timeout=10).raise_for_status().text
    found = re.findall(r'assay_submissions_total\{decision="(\w+)"\} ([\d.e+]+)', text)
    # What clients counted and did not send is in the ledger too.
    found += re.findall(r'assay_client_counted_submissions_total\{outcome="(\w+)"\} ([\d.e+]+)', text)
    total: Counter[str] = Counter()
    for decision, count in found:
        total[decision] += int(float(count))
    return total
