"""A JSON body posted to a sink: what webhook, Slack and PagerDuty have in common."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.core.web_address import WebAddress
from workers.dialling import Dialler
from workers.outgoing import post
from workers.sinks.failure import require_success

HEADERS = {"Content-Type": "application/json", "User-Agent": "assay"}


def encoded(document: Mapping[str, Any]) -> bytes:
    """The document as the body has it. Raises ValueError for a number that JSON does not know."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def deliver(
    address: WebAddress,
    body: bytes,
    now: datetime,
    dialler: Dialler,
    *,
    allow_private: bool,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Posts it. Raises SinkFailedError unless it was taken, and what `post` raises if nothing was answered."""
    answer = post(address, body, {**HEADERS, **(headers or {})}, dialler, allow_private=allow_private)
    require_success(answer, now)
