"""Webhooks: the notice as JSON, signed so that the receiver knows who sent it and when."""

import hashlib
import hmac
from datetime import datetime

from service.core.alerting.message import payload
from service.core.alerting.notice import Notice
from service.core.alerting.sink import WebhookSink
from workers.dialling import Dialler
from workers.sinks.posted import deliver, encoded


def send_webhook(sink: WebhookSink, notice: Notice, base_url: str | None, now: datetime, dialler: Dialler) -> None:
    """Posts the notice; a retry has the same idempotency key and a new timestamp."""
    body = encoded(payload(notice, base_url))
    stamp = str(int(now.timestamp()))
    headers = {"Idempotency-Key": f"{notice.seq}:{sink.name}", "Assay-Timestamp": stamp}
    key = sink.read_key()
    if key is not None:
        headers["Assay-Signature"] = f"v1={signature(key, stamp, body)}"
    deliver(sink.read_address(), body, now, dialler, allow_private=sink.allow_private, headers=headers)


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over timestamp, a dot and the body's bytes, in hex. The timestamp is in it against replays."""
    return hmac.new(key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
