"""What the deployment tests share: the files as the tools that run them would read them."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
SECRETS_SCRIPT = ROOT / "deploy" / "compose" / "secrets.sh"
# uvicorn's own patience, the longest commit that waits, the flush of the ledger, the ringer's join.
SERVICES_GRACE_S = 10 + 5 + 3 + 5
UNITS_S = {"s": 1, "m": 60, "h": 3_600}


def compose() -> dict[str, Any]:
    """The Compose file with its variables at their defaults."""
    return dict(yaml.safe_load(interpolated(COMPOSE_FILE.read_text(encoding="utf-8"))))


def interpolated(text: str) -> str:
    """`${NAME:-default}` becomes the default and `$$` a dollar sign, as Compose has it; anything else is an error."""
    text = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)
    assert re.search(r"(?<!\$)\$(?!\$)(?=[A-Z{])", text) is None
    return text.replace("$$", "$")


def seconds(duration: str) -> float:
    """A Compose duration of one unit."""
    return float(duration[:-1]) * UNITS_S[duration[-1]]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name.upper(), rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage, those of the stages of this file that it stands on first."""
    made: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for instruction, rest in instructions():
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            made[name] = list(made.get(base, []))
        elif name:
            made[name].append((instruction, rest))
    return made


def image_environment(stage: str) -> dict[str, str]:
    """The variables that an image sets."""
    pairs = [pair for name, rest in stages()[stage] if name == "ENV" for pair in rest.split()]
    return dict(pair.split("=", 1) for pair in pairs)
