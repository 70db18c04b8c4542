"""What tests of sinks share: names that lead here, and how sending fails."""

import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from service.core.alerting.sink import Sink
from tests.receiver import HERE
from tests.smtp import SmtpServer
from tests.unit.service.alerting.notices import notice
from workers.dialling import Dialler
from workers.sinks.failure import SinkFailedError
from workers.sinks.send import send

NOW = datetime(2026, 11, 1, 10, 6, tzinfo=UTC)
TOKEN = "T0PSECRETtokenvalue"  # noqa: S105 - a value to look for
HOST = "sink.test"
BASE = "https://assay.example.com"


def local(host: str, port: int) -> Sequence[str]:
    """Every name leads here."""
    del host, port
    return [HERE]


def dialler(**changes: Any) -> Dialler:
    return Dialler(**({"resolve": local, "total_s": 5.0} | changes))


def made(kind: str, **changes: Any) -> Any:
    least = {"type": kind, "name": "ours", "allow_private": True}
    return TypeAdapter(Sink).validate_python(least | changes)


def failure(sink: Any, **changes: Any) -> SinkFailedError:
    """How sending fails; whatever is wrong, the secret is not in what is told."""
    with pytest.raises(SinkFailedError) as caught:
        send(sink, notice(), BASE, NOW, dialler(**changes))
    failed = caught.value
    assert TOKEN not in f"{failed!r} {failed} {failed.detail}"
    assert TOKEN not in "".join(traceback.format_exception(failed))  # nor in what it was raised from
    return failed


def email(server: SmtpServer, **changes: Any) -> Any:
    least = {"host": HOST, "port": server.port, "from": "assay@example.com", "to": ["a@b.org", "c@d.org"]}
    return made("email", **(least | {"security": "none"} | changes))
