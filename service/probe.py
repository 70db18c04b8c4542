"""`python -m service.probe [PATH]`: whether this machine's sidecar answers; a container's health check.

It needs no curl in the image and imports nothing heavy, since it runs every few seconds.
"""

import os
import sys
import urllib.request

DEFAULT_PORT = "8000"
TIMEOUT_S = 4.0
EVERYWHERE = ("", "0.0.0.0", "::")  # bound to all addresses, loopback among them


def url(path: str) -> str:
    """Where the sidecar of this environment answers."""
    host = os.environ.get("ASSAY_HOST", "").strip("[]")
    host = "127.0.0.1" if host in EVERYWHERE else host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{os.environ.get('ASSAY_PORT', DEFAULT_PORT)}{path}"


def main() -> None:
    """Ends with status 0 if the path, `/healthz` by default, is answered with success; else with 1 and a sentence."""
    asked = url(sys.argv[1] if len(sys.argv) > 1 else "/healthz")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the environment is not asked
    try:
        opener.open(asked, timeout=TIMEOUT_S).close()
    except OSError as error:
        sys.exit(f"{asked}: {error}")


if __name__ == "__main__":
    main()
