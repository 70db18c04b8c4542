"""`python -m workers.probe`: whether this machine's worker makes progress; a container's health check.

It asks neither database nor queue: a restart would mend neither. It is light, since it runs every few seconds.
"""

import os
import sys
import time
from pathlib import Path

STALE_S = 120.0  # a worker that stalls is killed after 45 s and has its model again within the rest


def main() -> None:
    """Ends with status 0 while the beat file is fresh, else with 1 and a sentence."""
    file = os.environ.get("ASSAY_BEAT_FILE")
    if not file:
        sys.exit("ASSAY_BEAT_FILE is not set: set it for the worker and for this check.")
    try:
        age = time.time() - Path(file).stat().st_mtime
    except OSError:
        sys.exit("The worker has made no progress yet.")
    if age > STALE_S:
        sys.exit(f"The worker has made no progress for {age:.0f} s.")


if __name__ == "__main__":
    main()
