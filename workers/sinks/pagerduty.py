"""PagerDuty: Events API v2. One incident there for one incident here, opened and resolved by the same key."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from service.core.alerting.machine import Event
from service.core.alerting.message import example_words, link, payload, summary
from service.core.alerting.notice import Notice
from service.core.alerting.sink import PagerDutySink
from service.core.alerting.wording import group_words, one_line
from workers.dialling import Dialler
from workers.sinks.posted import deliver, encoded

MAX_KEY_CHARS = 255
MAX_GROUP_CHARS = 255
MAX_LINKS = 10


def send_pagerduty(sink: PagerDutySink, notice: Notice, base_url: str | None, now: datetime, dialler: Dialler) -> None:
    """Sends the event."""
    body = encoded(pagerduty_event(notice, base_url, sink.read_key()))
    deliver(sink.read_address(), body, now, dialler, allow_private=sink.allow_private)


def pagerduty_event(notice: Notice, base_url: str | None, routing_key: str) -> dict[str, Any]:
    """The event; what goes on triggers again by the same key, which PagerDuty adds to the open incident."""
    known = {"routing_key": routing_key, "dedup_key": dedup_key(notice.incident)}
    if notice.event is Event.RESOLVED:
        return {**known, "event_action": "resolve"}
    event = {
        **known,
        "event_action": "trigger",
        "client": "Assay",
        "payload": {
            "summary": summary(notice),
            "source": f"assay tenant {one_line(notice.tenant)}",
            "severity": notice.severity.value,
            "timestamp": notice.at.astimezone(UTC).isoformat(timespec="milliseconds"),
            "component": notice.rule,
            "group": one_line(group_words(notice.group), MAX_GROUP_CHARS),
            "class": notice.metric.value,
            "custom_details": payload(notice, base_url),
        },
    }
    return {**event, "client_url": base_url, "links": _links(notice, base_url)} if base_url else event


def dedup_key(incident: str) -> str:
    """The incident's name, or where it is too long for PagerDuty its digest."""
    return incident if len(incident) <= MAX_KEY_CHARS else hashlib.sha256(incident.encode()).hexdigest()


def _links(notice: Notice, base_url: str) -> list[dict[str, str | None]]:
    return [{"href": link(each, base_url), "text": example_words(each)} for each in notice.examples[:MAX_LINKS]]
