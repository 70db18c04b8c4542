"""Intake: a validated submission becomes a decision, and a row if it is chosen."""

import asyncio
import hashlib
import json
from concurrent.futures import Future
from dataclasses import dataclass
from secrets import token_hex
from typing import Any
from urllib.parse import quote

from service.core.clock import utc_now
from service.core.errors import OverloadedError, StoreUnavailableError
from service.core.metrics import SidecarMetrics
from service.core.policy import Policy
from service.core.schemas import ClientDecision, DecisionAnswer, Submission
from service.core.store.ledger import LedgerKey
from service.core.store.samples import NewSample
from service.core.submitted import context_ids, estimated_tokens
from service.core.tables import Outcome
from service.ledger import Ledger
from service.sampling import Choice, Decision, Reason, decide
from service.writer import Fate, Writer, Written

OWN_COLUMNS = {"id", "question", "contexts", "response", "model", "release", "prompt_version", "route"}
GROUPED = ("model", "release", "prompt_version", "route")


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyInForce:
    """A policy with its version, computed once."""

    policy: Policy
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A submission on its way: decided, and handed to the writer if chosen."""

    id: str
    tenant: str
    submission: Submission
    decision: Decision
    forced: bool  # a caller waits for the score
    row: "Future[Written] | None"


class Intake:
    """Decides and stores; `receive` does no I/O for what is not sampled."""

    def __init__(self, *, writer: Writer, ledger: Ledger, metrics: SidecarMetrics, timeout_s: float) -> None:
        """`timeout_s`: how long to wait for a commit."""
        self._writer = writer
        self._ledger = ledger
        self._metrics = metrics
        self._decided = {choice: metrics.submissions.labels(choice) for choice in Choice}
        self._timeout_s = timeout_s
        self.policy = PolicyInForce(policy=Policy(), version=Policy().version)

    def receive(self, submission: Submission, tenant: str, *, forced: bool = False) -> Received:
        """Decides a submission and hands its row to the writer. `settle` waits for the commit."""
        in_force = self.policy
        sample_id = submission.id or token_hex(16)
        decision = decide(
            unit=submission.trace_id or sample_id,
            fields=_policy_fields(submission, tenant),
            policy=in_force.policy,
            policy_version=in_force.version,
            forced=forced,
        )
        if submission.sampling and submission.sampling.policy_version != in_force.version:
            decision = _decided_by_client(submission.sampling)
        row: Future[Written] | None = None
        if decision.choice is Choice.SAMPLED_OUT:
            self._count(Outcome.SAMPLED_OUT, submission, tenant, decision)
        else:
            try:
                row = self._writer.submit(_new_sample(sample_id, submission, tenant, decision, urgent=forced))
            except OverloadedError:
                row = Future()
                row.set_result(Written(fate=Fate.OVERLOAD))
        return Received(id=sample_id, tenant=tenant, submission=submission, decision=decision, forced=forced, row=row)

    async def settle(self, received: Received) -> DecisionAnswer:
        """Waits for the commit and answers.

        Raises SampleConflictError, StoreUnavailableError, or OverloadedError for one that a caller waits for.
        """
        if received.row is None:
            return self.left_out(received)
        decision = received.decision
        written = await self._written(received.row)
        if written.fate is Fate.OVERLOAD:
            return self._overloaded(received)
        if written.fate is Fate.DUPLICATE and written.known:
            self._count(Outcome.DUPLICATE, received.submission, received.tenant, decision)
            self._metrics.submissions.labels("duplicate").inc()
            decision = Decision(
                choice=Choice(written.known.decision),
                reason=Reason(written.known.reason),
                stratum=written.known.stratum,
                inclusion_probability=written.known.inclusion_probability,
                policy_version=written.known.policy_version,
            )
        else:
            self._decided[decision.choice].inc()
        return _answer(received.id, decision, stored=True)

    def left_out(self, received: Received) -> DecisionAnswer:
        """The answer for one that has no row."""
        self._decided[received.decision.choice].inc()
        return _answer(received.id, received.decision, stored=False)

    async def _written(self, row: "Future[Written]") -> Written:
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(row)), self._timeout_s)
        except TimeoutError:
            row.cancel()  # withdraws it if its commit has not begun; else the same id makes the retry safe
            raise StoreUnavailableError("The database did not commit in time.") from None

    def _overloaded(self, received: Received) -> DecisionAnswer:
        decision = received.decision
        chosen = decision.choice is Choice.SAMPLED
        outcome = Outcome.REJECTED_OVERLOAD if chosen else Outcome.SAMPLED_OUT
        self._count(outcome, received.submission, received.tenant, decision)
        self._decided[Choice.REJECTED_OVERLOAD].inc()
        if received.forced:
            raise OverloadedError
        rejected = Decision(
            choice=Choice.REJECTED_OVERLOAD,
            reason=Reason.OVERLOAD,
            stratum=decision.stratum,
            inclusion_probability=decision.inclusion_probability,
            policy_version=decision.policy_version,
        )
        return _answer(received.id, rejected, stored=False)

    def _count(self, outcome: Outcome, submission: Submission, tenant: str, decision: Decision) -> None:
        self._ledger.count(
            LedgerKey(
                minute=utc_now().replace(second=0, microsecond=0),
                tenant=tenant,
                outcome=outcome,
                stratum=decision.stratum,
                inclusion_probability=decision.inclusion_probability,
                policy_version=decision.policy_version,
                model=submission.model or "",
                release=submission.release or "",
                prompt_version=submission.prompt_version or "",
                route=submission.route or "",
            )
        )


def _decided_by_client(sampling: ClientDecision) -> Decision:
    """The decision of the caller's process, made before the policy changed: it chose this one with that probability.

    Deciding again by the new policy would let through only what both policies choose, with a probability that neither
    of them names.
    """
    return Decision(
        choice=Choice.SAMPLED,
        reason=Reason.CLIENT,
        stratum=sampling.stratum,
        inclusion_probability=sampling.inclusion_probability,
        policy_version=sampling.policy_version,
    )


def _policy_fields(submission: Submission, tenant: str) -> dict[str, str]:
    fields = {f"tags.{name}": value for name, value in submission.tags.items()}
    fields["tenant"] = tenant
    given = {"route": submission.route, "model": submission.model, "release": submission.release}
    return fields | {name: value for name, value in given.items() if value is not None}


def _new_sample(sample_id: str, submission: Submission, tenant: str, decision: Decision, *, urgent: bool) -> NewSample:
    sent = submission.model_dump(mode="json", exclude_unset=True, exclude={"sampling"})
    contexts = [
        {"id": name, "text": context.text, "score": context.score}
        for name, context in zip(context_ids(submission), submission.contexts, strict=True)
    ]
    return NewSample(
        tenant=tenant,
        id=sample_id,
        body_digest=_digest(sent),
        received_at=utc_now(),
        decision=decision.choice.value,
        reason=decision.reason.value,
        stratum=decision.stratum,
        inclusion_probability=decision.inclusion_probability,
        policy_version=decision.policy_version,
        in_rate=decision.in_rate,
        question=submission.question,
        contexts=contexts,
        response=submission.response,
        details={name: value for name, value in sent.items() if name not in OWN_COLUMNS},
        urgent=urgent,
        tokens=estimated_tokens(submission),
        **{name: getattr(submission, name) or "" for name in GROUPED},
    )


def _digest(sent: dict[str, Any]) -> str:
    canonical = json.dumps(sent, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _answer(sample_id: str, decision: Decision, *, stored: bool) -> DecisionAnswer:
    return DecisionAnswer(
        id=sample_id,
        decision=decision.choice.value,
        reason=decision.reason.value,
        stratum=decision.stratum,
        inclusion_probability=decision.inclusion_probability,
        policy_version=decision.policy_version,
        status_url=f"/score/{quote(sample_id, safe='')}" if stored else None,
    )
