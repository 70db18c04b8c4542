"""The `[privacy]` table of the policy file: what of texts is kept, for how long, and what is blotted out before."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

import re2
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from service.core.errors import PolicyInvalidError
from service.core.tables import StoreText

MAX_PATTERN_MEMORY = 1 << 20  # what RE2 may use to compile one pattern; larger ones are refused


class ShippedRule(StrEnum):
    """The redaction rules that come with Assay, in the order in which they are applied."""

    KEY = "key"  # private key blocks, JSON web tokens, API keys with a provider's prefix
    EMAIL = "email"
    IBAN = "iban"  # with the right check digits
    CARD = "card"  # payment cards with the right check digit
    IPV4 = "ipv4"
    SSN = "ssn"  # United States social security numbers, written with hyphens
    PHONE = "phone"


Days = Literal["keep"] | Annotated[float, Field(strict=True, gt=0, le=36_500, allow_inf_nan=False)]
RuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
TenantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pattern(_Part):
    """A redaction rule of the policy's own, in RE2's syntax."""

    name: RuleName
    regex: Annotated[str, Field(min_length=1, max_length=500)]

    @field_validator("name")
    @classmethod
    def _own_name(cls, value: str) -> str:
        if value in set(ShippedRule):
            raise ValueError(f"{value!r} is a rule that comes with Assay; choose another name")
        return value

    @field_validator("regex")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            compiled = compile_pattern(value)
        except re2.error as error:
            reason = error.args[0] if error.args else ""
            told = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise ValueError(f"not a pattern that RE2 takes: {told}") from None
        if compiled.search("") is not None:
            raise ValueError("matches the empty text, so it would match everywhere")
        return value


def compile_pattern(regex: str) -> re2._Regexp:
    """Compiles a pattern for an engine whose time is linear in the text, whatever the pattern. Raises re2.error."""
    options = re2.Options()
    options.max_mem = MAX_PATTERN_MEMORY
    options.log_errors = False  # it would print the pattern
    options.never_capture = True  # only whole matches are asked for
    return re2.compile(regex, options)


class TenantPrivacy(_Part):
    """One tenant's terms; what is not given here is as in `[privacy]`."""

    store_text: StoreText | None = None
    text_days: Days | None = None
    row_days: Days | None = None
    redact: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What holds for one tenant."""

    store_text: StoreText
    text_days: float | None  # None: texts are kept
    row_days: float | None  # None: rows are kept
    redact: tuple[str, ...]


class Privacy(_Part):
    """The `[privacy]` table; `[privacy.tenants.NAME]` says what differs for a tenant."""

    store_text: StoreText = StoreText.FULL
    text_days: Days = "keep"
    row_days: Days = "keep"
    redact: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    tenants: dict[TenantName, TenantPrivacy] = {}

    @model_validator(mode="after")
    def _rules_are_known(self) -> Self:
        own = [pattern.name for pattern in self.patterns]
        used = set(self.redact).union(*(tenant.redact or () for tenant in self.tenants.values()))
        for name in sorted(used - set(own) - set(ShippedRule)):
            raise ValueError(f"redact: no rule is named {name!r}; use {', '.join(ShippedRule)} or a pattern's name")
        for name in own:
            if own.count(name) > 1:
                raise ValueError(f"patterns: two are named {name!r}")
            if name not in used:
                raise ValueError(f"patterns: {name!r} is used by no `redact`; add it there")
        return self

    def of(self, tenant: str) -> Terms:
        """What holds for the tenant."""
        other = self.tenants.get(tenant, TenantPrivacy())
        return Terms(
            store_text=other.store_text or self.store_text,
            text_days=_days(other.text_days or self.text_days),
            row_days=_days(other.row_days or self.row_days),
            redact=self.redact if other.redact is None else other.redact,
        )

    @property
    def needs_digest_key(self) -> bool:
        """Whether any tenant's texts are to be stored as digests."""
        stored = [self.store_text, *(tenant.store_text for tenant in self.tenants.values())]
        return StoreText.HASH in stored

    def require_key(self, *, given: bool) -> None:
        """Raises PolicyInvalidError if texts are to be stored as digests and there is no key."""
        if self.needs_digest_key and not given:
            raise PolicyInvalidError(
                'store_text = "hash" needs a key: without one the text of a digest can be guessed.',
                next_step="Set ASSAY_DIGEST_KEY, for example to the output of: openssl rand -hex 32",
            )

    @property
    def removes_by_age(self) -> bool:
        """Whether anything is ever due for removal."""
        everyone = [self.of(tenant) for tenant in ("", *self.tenants)]
        return any(terms.text_days or terms.row_days for terms in everyone)


def _days(value: Days) -> float | None:
    return None if value == "keep" else value
