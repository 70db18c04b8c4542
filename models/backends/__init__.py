"""The runtimes: each module here wraps one, and nothing else imports it."""

import sys

# OpenVINO reports each import to its vendor unless this package is missing. A worker reports to nobody.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
