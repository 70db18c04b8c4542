"""A finding: what one check saw, how bad that is, and what to do. No secret ever stands in one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from service.core.log import where


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # works, and could be better, or will not work for long
    FAIL = "FAIL"  # does not work


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check saw."""

    check: str
    level: Level
    text: str
    fix: str | None = None  # None exactly where nothing is to be done


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.OK, text=text)


def warn(check: str, text: str, fix: str) -> Finding:
    """Could be better."""
    return Finding(check=check, level=Level.WARN, text=text, fix=fix)


def fail(check: str, text: str, fix: str) -> Finding:
    """Does not work."""
    return Finding(check=check, level=Level.FAIL, text=text, fix=fix)


def examined(check: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The findings of one check; if it breaks, that is its finding, and the others still run."""
    findings: list[Finding] = []
    try:
        findings.extend(look())
    except Exception as error:  # noqa: BLE001 - the check's boundary: a doctor must not fall ill
        findings.append(fail(check, f"could not be checked: {where(error)}", "Report this line as a bug."))
    return findings


def masked(url: str) -> str:
    """An URL without its password and its parameters, which may hold one."""
    scheme, _, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    if "?" in account:  # a parameter with an @ in it, or a password with a ?: no telling which
        return f"{scheme}://..."
    user, colon, _ = account.partition(":")
    return f"{scheme}://{user}{':***' if colon else ''}{at}{place.partition('?')[0]}"
