"""Reports: what was not sent is told in numbers."""

import json
import time
from http import HTTPStatus

from assay_client.pace import FAILED_PAUSE_S, Next, backoff
from assay_client.shared import Shared, log
from assay_client.wire import Wire, WireError

RETRY_LATER_S = 60.0  # after an answer that only a change on the server mends
KEEP_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}  # a key or a new server mends it


class Reports:
    """Sends counts."""

    def __init__(self, shared: Shared, wire: Wire) -> None:
        """Sends nothing yet."""
        self._shared = shared
        self._wire = wire
        self._failures = 0  # in a row
        self._refused = False

    @property
    def done(self) -> bool:
        """Whether there is nothing to report, or nobody who would have it."""
        return self._shared.ledger.empty or self._refused

    async def step(self) -> Next:
        """Reports counts; a report keeps its number until it is answered."""
        shared, now = self._shared, time.monotonic()
        report = shared.ledger.report(now)
        if report is None:
            return Next(shared.settings.counts_interval_s)
        body = json.dumps(report.document(shared.ledger.client, now)).encode()
        try:
            answer = await self._wire.post("/counts", body, shared.settings.request_timeout_s)
        except WireError as error:
            return self._failed(str(error))
        self._refused = answer.status in KEEP_REFUSED
        if self._refused:
            shared.last_problem = f"counts: {answer.problem()}"
            return Next(RETRY_LATER_S)
        if answer.retriable:
            return self._failed(answer.problem(), answer.retry_after_s)
        if not answer.ok:
            log.error("Assay refused counts: %s. Client and server do not fit each other.", answer.problem())
        self._failures = 0
        shared.ledger.settle()
        return Next(0.0)

    def _failed(self, problem: str, retry_after_s: float | None = None) -> Next:
        self._shared.last_problem = f"counts: {problem}"
        self._failures += 1
        return Next(backoff(self._failures, retry_after_s), FAILED_PAUSE_S)
