"""Email: one plain text message by SMTP. The messages of one incident make one thread."""

import contextlib
import hashlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from service.core.alerting.message import lines, summary
from service.core.alerting.notice import Notice
from service.core.alerting.sink import EmailSink
from service.core.log import log
from workers.dialling import Deadline, Dialler, NotReachedError, told
from workers.sinks.failure import SinkFailedError

_TEMPORARY = range(400, 500)


def send_email(sink: EmailSink, notice: Notice, base_url: str | None, now: datetime, dialler: Dialler) -> None:
    """Sends it to all recipients in one message. Raises SinkFailedError, and what `Dialler.dial` raises."""
    login = sink.read_login()
    message = email_message(sink, notice, base_url, now)
    deadline = dialler.deadline()
    connection = dialler.dial(sink.host, sink.port, deadline, allow_private=sink.allow_private)
    client = _Client(sink.host, connection, deadline, dialler)
    # Both are closed: TLS takes the socket over, and the client has it from the greeting on.
    with (
        contextlib.closing(connection),
        contextlib.closing(client),
        _explained(deadline),
        _cut_at(connection, deadline),
    ):
        _converse(sink, client, login, message)


def email_message(sink: EmailSink, notice: Notice, base_url: str | None, now: datetime) -> EmailMessage:
    """The message. Its id is that of the event and the sink, so that a second delivery can be told from a second event."""
    domain = sink.from_.rpartition("@")[2]
    thread = f"<assay.{_digest(sink.name, notice.incident, notice.since.isoformat())}@{domain}>"
    message = EmailMessage(policy=SMTP)
    message["Subject"] = summary(notice)
    message["From"] = sink.from_
    message["To"] = ", ".join(sink.to)
    message["Date"] = format_datetime(now)
    if notice.at == notice.since:  # what opened the incident begins the thread
        message["Message-ID"] = thread
    else:
        message["Message-ID"] = f"<assay.{_digest(sink.name, notice.incident, str(notice.seq))}@{domain}>"
        message["In-Reply-To"] = thread
        message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"  # no out-of-office answers to it
    message.set_content("\n".join((summary(notice), "", *lines(notice, base_url), "")), cte="quoted-printable")
    return message


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _converse(sink: EmailSink, client: "_Client", login: tuple[str, str] | None, message: EmailMessage) -> None:
    client.greet(tls=sink.security == "tls")
    if sink.security == "starttls":
        client.starttls(context=client.context())
    if login is not None:
        client.login(*login)
    refused = client.send_message(message, from_addr=sink.from_, to_addrs=list(sink.to))
    with contextlib.suppress(smtplib.SMTPException, OSError):  # it was taken, whatever is said at parting
        client.quit()
    if refused:  # the others have it: to send it again would send it to them again, and hold up what comes after
        codes = sorted({code for code, _ in refused.values()})
        log.warning("recipients_refused", sink=sink.name, number=len(refused), codes=codes)


class _Client(smtplib.SMTP):
    """smtplib over a connection that was opened before, so that the address that was checked is the one that is used."""

    def __init__(self, host: str, connection: socket.socket, deadline: Deadline, dialler: Dialler) -> None:
        name = socket.gethostname()
        # smtplib itself would ask the resolver for this machine's name, which may take long.
        super().__init__(local_hostname=name if "." in name else "[127.0.0.1]")
        self._host = host  # whom a certificate must be for
        self._connection = connection
        self._deadline = deadline
        self._dialler = dialler

    def context(self) -> ssl.SSLContext:
        return self._dialler.tls()

    def greet(self, *, tls: bool) -> None:
        self._connection.settimeout(self._deadline.left_s())
        self.sock = self._connection
        if tls:
            self.sock = self.context().wrap_socket(self._connection, server_hostname=self._host)
        code, _ = self.getreply()
        if code != 220:  # noqa: PLR2004 - "ready"
            raise smtplib.SMTPResponseException(code, "")


@contextlib.contextmanager
def _cut_at(connection: socket.socket, deadline: Deadline) -> Iterator[None]:
    """Ends the conversation at the deadline: smtplib begins its timeout anew with every byte."""
    # TLS takes the socket over; its duplicate still ends the same connection.
    with connection.dup() as duplicate:

        def cut() -> None:
            with contextlib.suppress(OSError):
                duplicate.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(deadline.left_s(), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


@contextlib.contextmanager
def _explained(deadline: Deadline) -> Iterator[None]:
    """Turns what smtplib raises into SinkFailedError; what the server wrote is left out."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        numbers = ", ".join(map(str, codes))
        # Some may get it twice: better than that some never do.
        raise SinkFailedError(
            f"{len(error.recipients)} recipients refused: answered {numbers}",
            retry=any(code in _TEMPORARY for code in codes),
        ) from None
    except smtplib.SMTPServerDisconnected:
        deadline.left_s()  # it was cut
        raise NotReachedError("connection lost") from None
    except smtplib.SMTPResponseException as error:
        deadline.left_s()  # of a reply that was cut its first digits are left, and mean nothing
        code = error.smtp_code
        raise SinkFailedError(f"answered {code}", retry=not 500 <= code < 600) from None  # noqa: PLR2004 - SMTP's numbers
    except smtplib.SMTPNotSupportedError:
        raise SinkFailedError("the mail server offers no STARTTLS, or no login", retry=False) from None
    except smtplib.SMTPException as error:
        raise SinkFailedError(f"SMTP failed: {type(error).__name__}", retry=True) from None
    except OSError as error:
        deadline.left_s()
        raise NotReachedError(told(error)) from None
