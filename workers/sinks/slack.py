"""Slack: a message of blocks to an incoming webhook. Nothing that a caller chose becomes a mention or a link."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from service.core.alerting.machine import Event
from service.core.alerting.message import lines, summary
from service.core.alerting.notice import Notice
from service.core.alerting.rule import Severity
from service.core.alerting.sink import SlackSink
from workers.dialling import Dialler
from workers.sinks.posted import deliver, encoded

MAX_HEADER_CHARS = 150
MAX_SECTION_CHARS = 3_000
MAX_SECTIONS = 10  # of the 50 blocks that a message may have
GREEN = "#2eb67d"
COLOURS = {
    Severity.CRITICAL: "#b00020",
    Severity.ERROR: "#e01e5a",
    Severity.WARNING: "#ecb22e",
    Severity.INFO: "#36c5f0",
}


def send_slack(sink: SlackSink, notice: Notice, base_url: str | None, now: datetime, dialler: Dialler) -> None:
    """Posts the message."""
    body = encoded(slack_message(notice, base_url))
    deliver(sink.read_address(), body, now, dialler, allow_private=sink.allow_private)


def slack_message(notice: Notice, base_url: str | None) -> dict[str, Any]:
    """The message: its text is what notifications show, its blocks what the channel shows."""
    head = escaped(summary(notice))
    sections = [_section(text) for text in _joined([escaped(line) for line in lines(notice, base_url)])]
    return {
        "text": head,
        "unfurl_links": False,  # Slack must not fetch samples
        "unfurl_media": False,
        "blocks": [_header(notice), _section(head)],
        "attachments": [{"color": _colour(notice), "blocks": sections[:MAX_SECTIONS]}],
    }


def escaped(text: str) -> str:
    """As Slack wants text that it should not obey."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _header(notice: Notice) -> dict[str, Any]:
    """Event, severity and rule: an operator's words only, so nothing in them needs to be escaped."""
    text = f"{notice.event.value.replace('_', ' ').upper()} {notice.severity}: {notice.rule}"
    return {"type": "header", "text": {"type": "plain_text", "text": text[:MAX_HEADER_CHARS], "emoji": False}}


def _section(text: str) -> dict[str, Any]:
    # `verbatim`: without it Slack makes links of what looks like an address or a channel.
    cut = text[:MAX_SECTION_CHARS]
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut, "verbatim": True}}


def _joined(told: Sequence[str]) -> Iterator[str]:
    """Lines in pieces that fit a section; a line is never split but where it alone is too long."""
    piece = ""
    for line in told:
        if piece and len(piece) + 1 + len(line) > MAX_SECTION_CHARS:
            yield piece
            piece = ""
        piece = f"{piece}\n{line}" if piece else line
    if piece:
        yield piece


def _colour(notice: Notice) -> str:
    return GREEN if notice.event is Event.RESOLVED else COLOURS[notice.severity]
