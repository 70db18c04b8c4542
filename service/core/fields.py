"""The kinds of values that callers send: labels, identifiers, amounts, rates."""

from typing import Annotated

from pydantic import AfterValidator, Field

MAX_LABEL_BYTES = 200


def _short(value: str) -> str:
    """Counted in bytes: labels are part of database keys, whose size is limited in bytes."""
    if len(value.encode()) > MAX_LABEL_BYTES:
        raise ValueError(f"at most {MAX_LABEL_BYTES} bytes of UTF-8")
    return value


Label = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_short)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


LEAST_RATE = 1e-6  # one sample would stand for more than a million; beyond it sums of weights mean nothing


def _rate(value: float) -> float:
    if 0 < value < LEAST_RATE:
        raise ValueError(f"a rate is 0, or at least {LEAST_RATE:f}")
    return value


Rate = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False), AfterValidator(_rate)]


def _addressable(value: str) -> str:
    """An id is the end of a path, and clients drop such segments from a path."""
    if any(segment in {"", ".", ".."} for segment in value.split("/")):
        raise ValueError("no part between slashes may be empty, . or ..")
    return value


Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:@/+=~-]{1,200}$"), AfterValidator(_addressable)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
