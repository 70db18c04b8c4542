"""Policies: the sidecar's sampling policy, fetched and kept fresh."""

import math

from assay_client.contact import Contact
from assay_client.pace import FAILED_PAUSE_S, Next
from assay_client.sampling import LocalPolicy, SendAll
from assay_client.shared import Shared, log
from assay_client.wire import Answer, Wire, WireError

POLICY = "policy"  # what is asked, for the log


class Policies:
    """Asks for the policy."""

    def __init__(self, shared: Shared, wire: Wire, contact: Contact) -> None:
        """Asks nothing yet."""
        self._shared = shared
        self._wire = wire
        self._contact = contact

    async def step(self) -> Next:
        """Asks for the policy. A failure changes nothing; a refusal leaves decisions to the server."""
        try:
            answer = await self._wire.get("/sampling", self._shared.settings.request_timeout_s)
        except WireError as error:
            return self._failed(str(error))
        if answer.retriable:
            return self._failed(answer.problem(), answer.retry_after_s)
        self._contact.answered(POLICY)
        policy = _policy(answer)
        if answer.ok and isinstance(policy, SendAll) and not isinstance(self._shared.policy, SendAll):
            log.warning("This version cannot follow Assay's sampling policy: all submissions are sent.")
        self._shared.policy = policy
        return Next(policy.refresh_s, math.inf)

    def _failed(self, problem: str, retry_after_s: float | None = None) -> Next:
        known = self._shared.policy is not None
        return Next(self._contact.failed(POLICY, problem, retry_after_s), math.inf if known else FAILED_PAUSE_S)


def _policy(answer: Answer) -> LocalPolicy | SendAll:
    if not answer.ok:
        return SendAll()
    try:
        return LocalPolicy.parse(answer.document())
    except (ValueError, TypeError, LookupError, AttributeError):
        return SendAll()
