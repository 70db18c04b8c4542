"""A web address that a person wrote down, taken apart once: what is checked is what is called."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

MAX_CHARS = 2_000
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")  # a name, or IPv6 without its brackets
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True, slots=True)
class WebAddress:
    """Where to send something. Path and query may hold a secret, so they are not in its repr."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    target: str = field(repr=False)  # path and query, as they go over the wire

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def web_address(text: str, *, allow_private: bool) -> WebAddress:
    """The address. Raises ValueError, whose words hold nothing of the address: it may be a secret."""
    if len(text) > MAX_CHARS or re.fullmatch(r"[!-\[\]-~]+", text) is None:
        raise ValueError(f"must be at most {MAX_CHARS} visible ASCII characters without a backslash")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL such as https://example.com/path") from None
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    host = (parts.hostname or "").rstrip(".")
    if _HOST.fullmatch(host) is None or port == 0:
        raise ValueError("must be a URL such as https://example.com/path")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    match parts.scheme:
        case "https":
            return WebAddress(scheme="https", host=host, port=port or 443, target=target)
        case "http" if allow_private:
            return WebAddress(scheme="http", host=host, port=port or 80, target=target)
        case _:
            raise ValueError("must begin with https:// (http:// is for private networks: set allow_private = true)")
