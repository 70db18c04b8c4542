"""The lanes that a policy asks for: a judge's, a generator's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.judge.fingerprint import judge_fingerprint
from models.judge.prompt import load_prompt
from service.core.config import Settings
from service.core.db import Database
from service.core.judge_metrics import JudgeMetrics
from service.core.policy import Policy
from service.core.review_tables import Reviewer
from service.core.reviewing.judge import Generator, Judge
from service.core.store.reviews import ReviewedBy
from workers.judge.asking import Asking
from workers.judge.calling import LONGEST_REST_S, Caller
from workers.judge.chat import Chat
from workers.judge.circuit import Circuit
from workers.judge.drawing import Drawing
from workers.judge.endpoint import EndpointChat
from workers.judge.lane import Lane
from workers.judge.ledger import DatabaseLedger


def _limit_s(model: Judge | Generator, calls: int) -> float:
    """The longest that so many calls, one after the other, may take with all their attempts."""
    return calls * (model.attempts * model.timeout_s + (model.attempts - 1) * LONGEST_REST_S)


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneMaker:
    """Makes lanes; what may be sent, and spent, is looked up in the policy file before each call."""

    settings: Settings
    database: Database
    metrics: JudgeMetrics
    current: Callable[[], Policy | None]

    def make(self, policy: Policy, reviewer: Reviewer) -> Lane | None:
        """The lane of a reviewer; None where the policy has none. Raises ModelError for a prompt or a model in memory."""
        judge, generator = policy.judge, policy.consistency.generator
        if reviewer is Reviewer.JUDGE:
            return None if judge is None else self._judge(judge)
        return None if generator is None else self._generator(generator)

    def _judge(self, judge: Judge) -> Lane:
        prompt = load_prompt(judge.prompt)
        if judge.local is None:
            chat: Chat = EndpointChat(judge, self.settings.judge_api_key)
            weights, place = judge.named, _host(judge)
        else:
            from workers.judge.local import LocalChat  # noqa: PLC0415 - stands on torch, which few judge workers need

            local = LocalChat(judge, self.settings.threads)
            chat, weights, place = local, local.weights, "in memory"
        fingerprint = judge_fingerprint(
            prompt,
            model=weights,
            temperature=judge.temperature,
            seed=judge.seed,
            votes=judge.votes,
            max_output_tokens=judge.max_output_tokens,
            schema=judge.json_schema,
        )
        caller = self._caller(f"judge {place}", chat, judge)
        return Lane(
            reviewer=Reviewer.JUDGE,
            work=Asking(caller, judge, prompt).review,
            caller=caller,
            by=ReviewedBy(fingerprint=fingerprint, attributes={"model": judge.named, "prompt": prompt.version}),
            concurrency=judge.concurrency,
            limit_s=_limit_s(judge, 2 * judge.votes),  # each may need a repair
            tenants=judge.tenants,
            database=self.database,
            metrics=self.metrics,
        )

    def _generator(self, generator: Generator) -> Lane:
        chat = EndpointChat(generator, self.settings.generator_api_key)
        caller = self._caller(f"generator {_host(generator)}", chat, generator)
        return Lane(
            reviewer=Reviewer.CONSISTENCY,
            work=Drawing(caller, generator).draw,
            caller=caller,
            by=ReviewedBy(fingerprint="", attributes={"model": generator.model or ""}),
            concurrency=generator.concurrency,
            limit_s=_limit_s(generator, generator.samples),
            tenants=generator.tenants,
            database=self.database,
            metrics=self.metrics,
        )

    def _caller(self, name: str, chat: Chat, model: Judge | Generator) -> Caller:
        def limit_pico(tenant: str) -> int | None:
            policy = self.current()
            return policy.spend.limit_pico(tenant) if policy and policy.spend else None

        def may_be_sent(tenant: str) -> bool:
            policy = self.current()
            if policy is None:
                return False
            named = policy.judge if isinstance(model, Judge) else policy.consistency.generator
            return named is not None and named.url == model.url and tenant in named.tenants

        return Caller(
            name, chat, Circuit(), DatabaseLedger(self.database, limit_pico, may_be_sent), model, self.metrics
        )


def _host(model: Judge | Generator) -> str:
    address = model.address
    return address.authority if address else Path(getattr(model, "local", "") or "").name
