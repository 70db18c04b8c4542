"""Reports: what was not sent is told in numbers."""

import json
import time

from assay_client.pace import FAILED_PAUSE_S, Next, backoff
from assay_client.shared import Shared, log
from assay_client.wire import Answer, Wire, WireError

RETRY_LATER_S = 60.0  # after an answer that only a change on the server mends


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
        if answer.retriable:
            return self._failed(answer.problem(), answer.retry_after_s)
        if not _counted(answer):
            return self._refuse(answer)
        self._failures, self._refused = 0, False
        shared.ledger.settle()
        return Next(0.0)

    def _refuse(self, answer: Answer) -> Next:
        """Keeps the report: another key, another server or a proxy that lets it through mends it."""
        self._shared.last_problem = f"counts: {answer.problem()}"
        if not self._refused:  # once, not every minute
            log.error("Assay did not take counts: %s. They are kept, and sent again.", answer.problem())
        self._refused = True
        return Next(RETRY_LATER_S)

    def _failed(self, problem: str, retry_after_s: float | None = None) -> Next:
        self._shared.last_problem = f"counts: {problem}"
        self._failures += 1
        return Next(backoff(self._failures, retry_after_s), FAILED_PAUSE_S)


def _counted(answer: Answer) -> bool:
    """Whether an Assay says that it has them: a proxy's page with status 200 does not."""
    try:
        return answer.ok and isinstance(answer.document()["counted"], bool)
    except (ValueError, TypeError, LookupError):
        return False
