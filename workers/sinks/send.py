"""Sends one notice to one sink, whatever its kind."""

from datetime import datetime

from service.core.alerting.notice import Notice
from service.core.alerting.sink import EmailSink, PagerDutySink, SecretUnreadableError, Sink, SlackSink, WebhookSink
from workers.dialling import AddressRefusedError, Dialler, NotReachedError
from workers.sinks.email import send_email
from workers.sinks.failure import SinkFailedError
from workers.sinks.pagerduty import send_pagerduty
from workers.sinks.slack import send_slack
from workers.sinks.webhook import send_webhook


def send(sink: Sink, notice: Notice, base_url: str | None, now: datetime, dialler: Dialler | None = None) -> None:
    """Tries once, for 15 seconds at most. Raises SinkFailedError, which says whether another try may help.

    Args:
        sink: where to.
        notice: what is told.
        base_url: the sidecar's address as people reach it, for links; None: no links.
        now: the time of sending; it is signed.
        dialler: how connections are opened, if not as usual.
    """
    try:
        _send(sink, notice, base_url, now, dialler or Dialler())
    except AddressRefusedError as error:
        raise SinkFailedError(str(error), retry=False) from None
    except (NotReachedError, SecretUnreadableError) as error:  # a secret that is being replaced is soon there again
        raise SinkFailedError(str(error), retry=True) from None


def _send(sink: Sink, notice: Notice, base_url: str | None, now: datetime, dialler: Dialler) -> None:
    match sink:
        case WebhookSink():
            send_webhook(sink, notice, base_url, now, dialler)
        case SlackSink():
            send_slack(sink, notice, base_url, now, dialler)
        case PagerDutySink():
            send_pagerduty(sink, notice, base_url, now, dialler)
        case EmailSink():
            send_email(sink, notice, base_url, now, dialler)
