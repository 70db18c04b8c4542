"""Reports: what was not sent is told in numbers."""

import json
import time

from assay_client.contact import Contact
from assay_client.pace import FAILED_PAUSE_S, Next
from assay_client.shared import Shared, log
from assay_client.wire import Answer, Wire, WireError

COUNTS = "counts"  # what is asked, for the log
RETRY_LATER_S = 60.0  # after an answer that only a change on the server mends


class Reports:
    """Sends counts."""

    def __init__(self, shared: Shared, wire: Wire, contact: Contact) -> None:
        """Sends nothing yet."""
        self._shared = shared
        self._wire = wire
        self._contact = contact
        self._refused = False  # by the last answer
        self._logged = False

    @property
    def done(self) -> bool:
        """Whether there is nothing to report, or nobody who would have it."""
        return self._shared.ledger.empty or self._refused

    def hope(self) -> None:
        """Takes it that a refusal has been mended, until the next one: for those who wait for `done`."""
        self._refused = False

    async def step(self) -> Next:
        """Reports counts; a report keeps its number until it is answered."""
        shared = self._shared
        report = shared.ledger.report()
        if report is None:
            return Next(shared.settings.counts_interval_s)
        body = json.dumps(report.document(shared.ledger.client, time.monotonic())).encode()
        try:
            answer = await self._wire.post("/counts", body, shared.settings.request_timeout_s)
        except WireError as error:
            return self._failed(str(error))
        if answer.retriable:
            return self._failed(answer.problem(), answer.retry_after_s)
        if not _counted(answer):
            return self._refuse(answer)
        self._contact.answered(COUNTS)
        self._refused = self._logged = False
        shared.ledger.settle()
        return Next(0.0)

    def _refuse(self, answer: Answer) -> Next:
        """Keeps the report: another key, another server or a proxy that lets it through mends it."""
        problem = answer.problem()
        self._contact.answered(COUNTS)
        self._shared.last_problem = f"{COUNTS}: {problem}"
        if not self._logged:  # once, not every minute
            log.error("Assay did not take counts: the answer was %s. They are kept, and sent again.", problem)
        self._refused = self._logged = True
        return Next(RETRY_LATER_S)

    def _failed(self, problem: str, retry_after_s: float | None = None) -> Next:
        return Next(self._contact.failed(COUNTS, problem, retry_after_s), FAILED_PAUSE_S)


def _counted(answer: Answer) -> bool:
    """Whether an Assay says that it has them: a proxy's page with status 200 does not."""
    try:
        return answer.ok and isinstance(answer.document()["counted"], bool)
    except (ValueError, TypeError, LookupError):
        return False
