"""Intake: a validated submission becomes a decision, and a row if it is chosen."""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from secrets import token_hex
from urllib.parse import quote

from service.core.clock import utc_now
from service.core.combination import Combination
from service.core.errors import AssayError, OverloadedError, StoreUnavailableError
from service.core.metrics import SidecarMetrics
from service.core.policy import Policy
from service.core.privacy import Privacy
from service.core.schemas import ClientDecision, DecisionAnswer, Submission
from service.core.signals import signal_fields
from service.core.store.rollups import MINUTE_S, Place, floor
from service.core.store.samples import Known, NewSample
from service.core.submitted import context_ids, estimated_tokens
from service.core.tables import Outcome
from service.ledger import Ledger
from service.privacy import Guard, Protected
from service.sampling import Choice, Decision, Reason, decide, label_key
from service.watch import Watch
from service.writer import Fate, Writer, Written

OWN_COLUMNS = {"id", "question", "contexts", "response", "model", "release", "prompt_version", "route"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyInForce:
    """A policy with its version, computed once."""

    policy: Policy
    version: str
    guard: Guard = field(default_factory=lambda: Guard(Privacy(), None))
    combination: Combination | None = None  # what `combination` names; None: nothing was fitted


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A submission on its way: decided, with its row if it is chosen."""

    id: str
    tenant: str
    submission: Submission
    decision: Decision
    forced: bool  # a caller waits for the score
    row: NewSample | None  # None: not sampled


class Intake:
    """Decides and stores."""

    def __init__(
        self, *, writer: Writer, ledger: Ledger, watch: Watch, metrics: SidecarMetrics, timeout_s: float
    ) -> None:
        """`timeout_s`: how long to wait for a commit."""
        self._watch = watch
        self._writer = writer
        self._ledger = ledger
        self._metrics = metrics
        self._decided = {choice: metrics.submissions.labels(choice) for choice in Choice}
        self._timeout_s = timeout_s
        self.policy = PolicyInForce(policy=Policy(), version=Policy().version)

    def receive(self, submission: Submission, tenant: str, *, forced: bool = False) -> Received:
        """Decides a submission and makes its row if it is chosen; `settle` stores it. Does no I/O."""
        in_force = self.policy
        sample_id = submission.id or token_hex(16)
        decision = decide(
            unit=submission.trace_id or sample_id,
            fields=self._fields(submission, tenant, in_force.policy),
            policy=in_force.policy,
            policy_version=in_force.version,
            forced=forced,
            scale=self._watch.situation.scales.get(tenant, 1.0),
        )
        claimed = submission.sampling if in_force.policy.clients_decide else None
        if claimed and claimed.policy_version != in_force.version:
            decision = _decided_by_client(claimed)
        row: NewSample | None = None
        if decision.choice is Choice.SAMPLED_OUT:
            self._count(Outcome.SAMPLED_OUT, submission, tenant, decision)
        else:
            protected = in_force.guard.protect(submission, tenant)
            salt = in_force.policy.sampling.salt
            row = _new_sample(sample_id, protected, tenant, decision, urgent=forced, salt=salt)
        return Received(id=sample_id, tenant=tenant, submission=submission, decision=decision, forced=forced, row=row)

    def _fields(self, submission: Submission, tenant: str, policy: Policy) -> dict[str, str]:
        self._watch.note(tenant, submission.release)
        fields = _policy_fields(submission, tenant)
        sampling = policy.sampling
        if not any(rule.signals for rule in sampling.rules):
            return fields
        return fields | signal_fields(submission, tenant, self._watch.situation, sampling.signals, utc_now())

    async def settle(self, received: Sequence[Received]) -> list[DecisionAnswer | AssayError]:
        """Stores the rows and waits for their commit; one answer each, in order.

        An error is a SampleConflictError, a StoreUnavailableError, or an OverloadedError for one that a caller waits
        for.
        """
        futures = self._writer.submit([each.row for each in received if each.row is not None])
        if futures:
            await self._committed(futures)
        written = iter(futures)
        self._decided[Choice.SAMPLED_OUT].inc(sum(each.row is None for each in received))
        return [
            _answer(each.id, each.decision, stored=False) if each.row is None else self._settled(each, next(written))
            for each in received
        ]

    async def _committed(self, futures: Sequence[Future[Written]]) -> None:
        """Waits until all are done, or cancels what is not in time: one wake-up for all, not one for each."""
        loop = asyncio.get_running_loop()
        all_done: asyncio.Future[None] = loop.create_future()
        countdown = iter(range(len(futures) - 1, -1, -1))

        def one_done(_: Future[Written]) -> None:
            if next(countdown) == 0:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(_finish, all_done)

        for future in futures:
            future.add_done_callback(one_done)
        try:
            await asyncio.wait_for(all_done, self._timeout_s)
        except TimeoutError:
            for future in futures:
                future.cancel()  # withdraws it if its commit has not begun; else the same id makes the retry safe

    def _settled(self, received: Received, future: Future[Written]) -> DecisionAnswer | AssayError:
        if not future.done() or future.cancelled():
            return StoreUnavailableError("The database did not commit in time.")
        error = future.exception()
        if isinstance(error, AssayError):
            return error
        written = future.result()
        if written.fate is Fate.OVERLOAD:
            return self._overloaded(received)
        if written.fate is Fate.DUPLICATE and written.known:
            return self._duplicate(received, written.known)
        self._decided[received.decision.choice].inc()
        return _answer(received.id, received.decision, stored=True)

    def _duplicate(self, received: Received, known: Known) -> DecisionAnswer:
        self._count(Outcome.DUPLICATE, received.submission, received.tenant, received.decision)
        self._metrics.submissions.labels("duplicate").inc()
        first = Decision(
            choice=Choice(known.decision),
            reason=Reason(known.reason),
            stratum=known.stratum,
            inclusion_probability=known.inclusion_probability,
            policy_version=known.policy_version,
        )
        return _answer(received.id, first, stored=True)

    def _overloaded(self, received: Received) -> DecisionAnswer | AssayError:
        decision = received.decision
        self._decided[Choice.REJECTED_OVERLOAD].inc()
        if received.forced:
            return OverloadedError()  # not taken and not counted: the caller is told so, and may send it again
        self._count(Outcome.REJECTED_OVERLOAD, received.submission, received.tenant, decision)
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
            Place(
                minute=floor(utc_now(), MINUTE_S),
                tenant=tenant,
                outcome=outcome,
                stratum=decision.stratum,
                inclusion_probability=decision.inclusion_probability,
                model=submission.model or "",
                release=submission.release or "",
                prompt_version=submission.prompt_version or "",
                route=submission.route or "",
            )
        )


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


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


def _new_sample(
    sample_id: str, protected: Protected, tenant: str, decision: Decision, *, urgent: bool, salt: str
) -> NewSample:
    submission, received_at = protected.submission, utc_now()
    contexts = [
        {"id": name, "text": context.text, "score": context.score}
        for name, context in zip(context_ids(submission), submission.contexts, strict=True)
    ]
    return NewSample(
        tenant=tenant,
        id=sample_id,
        body_digest=protected.body_digest,
        received_at=received_at,
        label_key=label_key(sample_id, tenant, salt, received_at),
        decision=decision.choice.value,
        reason=decision.reason.value,
        stratum=decision.stratum,
        inclusion_probability=decision.inclusion_probability,
        policy_version=decision.policy_version,
        in_rate=decision.in_rate,
        question=submission.question,
        contexts=contexts,
        response=submission.response,
        details={name: value for name, value in protected.sent.items() if name not in OWN_COLUMNS},
        urgent=urgent,
        tokens=estimated_tokens(submission),
        session_id=submission.session_id,
        trace_id=submission.trace_id,
        store_text=protected.store_text.value,
        redacted=protected.redacted,
        text_digests=protected.text_digests,
        model=submission.model or "",
        release=submission.release or "",
        prompt_version=submission.prompt_version or "",
        route=submission.route or "",
    )


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
