"""The policy file: which share of which submissions is sampled, and what of texts is kept. Pure but for `read_policy`."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.core.errors import PolicyInvalidError
from service.core.fields import Rate
from service.core.privacy import Privacy

DEFAULT_RATE = 0.05
DEFAULT_STRATUM = "default"
FIELDS = ("route", "model", "release", "tenant")
TAG_PREFIX = "tags."
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """One stratum: the submissions whose fields all match, and the share of them that is sampled."""

    name: Name
    rate: Rate
    match: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        for field in self.match:
            if field not in FIELDS and not (field.startswith(TAG_PREFIX) and len(field) > len(TAG_PREFIX)):
                raise ValueError(f"unknown field {field!r}; use {', '.join(FIELDS)} or tags.NAME")
        return self

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether every named field has the value, or one of the values, given."""
        return all(
            fields.get(name) == wanted if isinstance(wanted, str) else fields.get(name) in wanted
            for name, wanted in self.match.items()
        )


class Sampling(_Part):
    """The `[sampling]` table: the first rule that matches decides, else `rate`."""

    rate: Rate = DEFAULT_RATE
    salt: str = ""  # goes into the version that every decision carries: choose a long random one
    rules: tuple[Rule, ...] = ()
    client_side: bool = True  # whether clients may decide themselves: they are told salt and rules; scope `ingest`

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [DEFAULT_STRATUM, *(rule.name for rule in self.rules)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two strata are named {name!r}; name each rule differently (not {DEFAULT_STRATUM!r})")
        return self


class Labels(_Part):
    """The `[labels]` table."""

    twice: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] = 0.1  # share that two people label


class Policy(_Part):
    """A whole policy file."""

    sampling: Sampling = Sampling()
    labels: Labels = Labels()
    privacy: Privacy = Privacy()

    @property
    def version(self) -> str:
        """Digest of the policy's meaning: comments and order of keys do not change it."""
        # Who decides, and who labels, changes no decision.
        said: dict[str, Any] = {"sampling": {"client_side"}, "labels": True}
        if self.privacy == Privacy():
            said["privacy"] = True  # a table that says nothing changes no version
        meant = self.model_dump(mode="json", exclude=said)
        canonical = json.dumps(meant, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def stratum(self, fields: Mapping[str, str]) -> tuple[str, float]:
        """The stratum and the inclusion probability of a submission with these fields."""
        for rule in self.sampling.rules:
            if rule.matches(fields):
                return rule.name, rule.rate
        return DEFAULT_STRATUM, self.sampling.rate


def tenant_rules(policy: Policy, tenant: str) -> list[tuple[Rule, dict[str, list[str]]]]:
    """The rules that can match this tenant's submissions, each with its conditions but the one on the tenant."""
    found = []
    for rule in policy.sampling.rules:
        match = {name: [wanted] if isinstance(wanted, str) else list(wanted) for name, wanted in rule.match.items()}
        if tenant in match.pop("tenant", [tenant]):
            found.append((rule, match))
    return found


def parse_policy(text: str) -> Policy:
    """Validates a policy file whole. Raises PolicyInvalidError, which names each wrong field."""
    try:
        return Policy.model_validate(tomllib.loads(text))
    except RecursionError:
        raise PolicyInvalidError("Nested too deeply.") from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyInvalidError(f"Not valid TOML: {error}.") from None
    except ValidationError as error:
        lines = [
            f"{_place(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors(include_url=False)
        ]
        raise PolicyInvalidError("; ".join(lines)) from None


def _place(loc: tuple[int | str, ...]) -> str:
    """Where in the file; rules are counted from 1, as `assay check` shows their order."""
    return ".".join(str(part + 1 if isinstance(part, int) else part) for part in loc)


def read_policy(path: Path | None) -> Policy:
    """The policy of a file; the default policy without one. Raises PolicyInvalidError."""
    if path is None:
        return Policy()
    try:
        return parse_policy(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyInvalidError(f"Cannot read {path}: {error}.") from None
