"""Email sent to a real SMTP server: threads, TLS, what the server says, and what never gets into a header."""

import time
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from service.core.alerting.machine import Event
from tests.certificates import Certificate, make_certificate
from tests.integration.sinks import BASE, HOST, NOW, TOKEN, dialler, email, failure
from tests.smtp import SmtpServer
from tests.unit.service.alerting.notices import T0, notice
from workers.sinks.send import send


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), HOST)


def received(server: SmtpServer, index: int = 0) -> EmailMessage:
    message = message_from_bytes(server.messages[index], policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_email_makes_one_thread_of_an_incident() -> None:
    """What follows refers to what opened it; a second delivery has the same id, a second event another."""
    later = T0 + timedelta(hours=1)
    events = [
        notice(),
        notice(),
        notice(seq=8, event=Event.STILL_FIRING, at=later),
        notice(seq=9, event=Event.RESOLVED, at=later),
        notice(seq=10, incident="another"),
    ]
    with SmtpServer() as server:
        for event in events:
            send(email(server), event, BASE, NOW, dialler())
        send(email(server, name="theirs"), notice(), BASE, NOW, dialler())
        messages = [received(server, index) for index in range(6)]
    ids = [message["Message-ID"] for message in messages]
    assert (ids[0], len(set(ids))) == (ids[1], 5)
    assert [message["In-Reply-To"] for message in messages] == [None, None, ids[0], ids[0], None, None]
    assert [message["References"] for message in messages] == [None, None, ids[0], ids[0], None, None]


def test_email_message() -> None:
    """Subject, people, date, and that it is automatic; the text is complete."""
    with SmtpServer() as server:
        send(email(server), notice(group={"route": "näher"}), BASE, NOW, dialler())
        message = received(server)
    assert {name: message[name] for name in ("From", "To", "Date", "Auto-Submitted")} == {
        "From": "assay@example.com",
        "To": "a@b.org, c@d.org",
        "Date": "Sun, 01 Nov 2026 10:06:00 +0000",
        "Auto-Submitted": "auto-generated",
    }
    subject = " ".join(message["Subject"].split())  # Python folds encoded words with a space too many
    assert subject.startswith("FIRING error: summariser-rate: flagged rate above 5% for route=näher: 8.1%")
    assert (message.get_content_type(), "What to do:" in message.get_content()) == ("text/plain", True)
    assert [line for line in server.commands if line.upper().startswith("RCPT")] == [
        "RCPT TO:<a@b.org>",
        "RCPT TO:<c@d.org>",
    ]


def test_email_headers_take_no_more_headers() -> None:
    """What callers chose stays within the subject, and a dot on a line ends no message."""
    with SmtpServer() as server:
        hostile = "x\r\nBcc: evil@example.com\r\n\r\n.\r\nMAIL FROM:<y>"
        send(email(server), notice(group={"route": hostile}, tenant=hostile), BASE, NOW, dialler())
        message = received(server)
    assert (message["Bcc"], len(server.messages), "\\r\\nBcc" in message["Subject"]) == (None, 1, True)
    assert sum(line.startswith("MAIL") for line in server.commands) == 1


def test_email_over_starttls(certificate: Certificate) -> None:
    """The password goes over TLS only, to whom the certificate names."""
    with SmtpServer(context=certificate.server()) as server:
        sink = email(server, security="starttls", username="u", password=TOKEN)
        send(sink, notice(), BASE, NOW, dialler(tls=certificate.client))
        verbs = [line.split()[0].upper() for line in server.commands]
        assert (verbs.index("STARTTLS") < verbs.index("AUTH"), len(server.messages)) == (True, 1)
        other = email(server, security="starttls", host="other.test", username="u", password=TOKEN)
        server.commands.clear()
        failed = failure(other, tls=certificate.client)
    assert ("certificate is not valid" in failed.detail, failed.retry) == (True, True)
    assert [line.split()[0].upper() for line in server.commands] == ["EHLO", "STARTTLS"]


def test_email_over_tls_from_the_start(certificate: Certificate) -> None:
    """As on port 465."""
    with SmtpServer(context=certificate.server(), at_once=True) as server:
        send(email(server, security="tls"), notice(), BASE, NOW, dialler(tls=certificate.client))
        assert len(server.messages) == 1
        assert "certificate is not valid" in failure(email(server, security="tls")).detail


def test_a_server_without_starttls_gets_no_password() -> None:
    """Who stands between could take the offer away: nothing is sent in the clear."""
    with SmtpServer() as server:
        failed = failure(email(server, security="starttls", username="u", password=TOKEN))
    assert (failed.retry, server.messages, any("AUTH" in line for line in server.commands)) == (False, [], False)


@pytest.mark.parametrize(
    ("replies", "detail", "retry"),
    [
        ({"greeting": "421 busy"}, "answered 421", True),
        ({"greeting": "554 go away"}, "answered 554", False),
        ({"MAIL": "451 later"}, "answered 451", True),
        ({"MAIL": "550 no"}, "answered 550", False),
        ({"DATA": "452 full"}, "answered 452", True),
        ({"end of data": "554 spam"}, "answered 554", False),
        ({"RCPT": "550 unknown"}, "2 recipients refused: answered 550", False),
        ({"RCPT TO:<c@d.org>": "450 greylisted"}, None, None),
        ({"RCPT TO:<c@d.org>": "550 unknown"}, None, None),
        ({"QUIT": "500 what"}, None, None),
    ],
)
def test_what_the_mail_server_says(replies: dict[str, str], detail: str | None, retry: bool | None) -> None:  # noqa: FBT001
    """4xx may pass, 5xx does not; what it says at parting no longer counts. Its words are not repeated."""
    with SmtpServer(replies=replies) as server:
        if detail is None:
            send(email(server), notice(), BASE, NOW, dialler())
            assert len(server.messages) == 1
            return
        failed = failure(email(server))
    assert (failed.detail, failed.retry) == (detail, retry)


@pytest.mark.timed
def test_a_mail_server_that_drips_is_left() -> None:
    """Each byte comes soon after the last: it is the whole conversation that has a limit."""
    with SmtpServer(drip_s=0.05) as server:
        began = time.monotonic()
        failed = failure(email(server), total_s=0.4)
        assert (failed.detail, failed.retry, time.monotonic() - began < 2) == ("not answered within 0.4 s", True, True)


def test_a_mail_server_in_a_private_network_is_refused_unless_allowed() -> None:
    """The same rule as for HTTP."""
    with SmtpServer() as server:
        failed = failure(email(server, allow_private=False))
    assert (failed.retry, "127.0.0.1 is loopback" in failed.detail, server.commands) == (False, True, [])
