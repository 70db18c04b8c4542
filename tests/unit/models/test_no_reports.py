"""Nothing that Assay loads reports to anyone."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
import models.backends.openvino
print(*[name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module])
"""


def test_the_runtime_reports_nothing(tmp_path: Path) -> None:
    """OpenVINO's telemetry, which would send an event at each start and leave an id in the home, is never loaded."""
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
    assert list(tmp_path.iterdir()) == []
