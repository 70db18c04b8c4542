"""The lanes that a policy asks for: a judge's, a generator's."""

from collections.abc import Mapping
from pathlib import Path

from models.judge.fingerprint import judge_fingerprint
from models.judge.prompt import load_prompt
from service.core.config import Settings
from service.core.db import Database
from service.core.judge_metrics import JudgeMetrics
from service.core.policy import Policy
from service.core.review_tables import Reviewer
from service.core.reviewing.judge import Generator, Judge, Spend
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


def make_lanes(
    policy: Policy, settings: Settings, database: Database, metrics: JudgeMetrics
) -> Mapping[Reviewer, Lane]:
    """Raises ModelError where a prompt or a local model cannot be read."""
    lanes: dict[Reviewer, Lane] = {}
    if policy.judge is not None:
        lanes[Reviewer.JUDGE] = _judge(policy.judge, policy.spend, settings, database, metrics)
    if policy.consistency.generator is not None:
        lanes[Reviewer.CONSISTENCY] = _generator(
            policy.consistency.generator, policy.spend, settings, database, metrics
        )
    return lanes


def _judge(judge: Judge, spend: Spend | None, settings: Settings, database: Database, metrics: JudgeMetrics) -> Lane:
    prompt = load_prompt(judge.prompt)
    if judge.local is None:
        chat: Chat = EndpointChat(judge, settings.judge_api_key)
        weights, place = judge.named, _host(judge)
    else:
        from workers.judge.local import LocalChat  # noqa: PLC0415 - stands on torch, which few judge workers need

        local = LocalChat(judge, settings.threads)
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
    caller = _caller(f"judge {place}", chat, judge, spend, database, metrics)
    return Lane(
        reviewer=Reviewer.JUDGE,
        work=Asking(caller, judge, prompt).review,
        caller=caller,
        by=ReviewedBy(fingerprint=fingerprint, attributes={"model": judge.named, "prompt": prompt.version}),
        concurrency=judge.concurrency,
        limit_s=_limit_s(judge, 2 * judge.votes),  # each may need a repair
        database=database,
        metrics=metrics,
    )


def _generator(
    generator: Generator, spend: Spend | None, settings: Settings, database: Database, metrics: JudgeMetrics
) -> Lane:
    chat = EndpointChat(generator, settings.generator_api_key)
    caller = _caller(f"generator {_host(generator)}", chat, generator, spend, database, metrics)
    return Lane(
        reviewer=Reviewer.CONSISTENCY,
        work=Drawing(caller, generator).draw,
        caller=caller,
        by=ReviewedBy(fingerprint="", attributes={"model": generator.model or ""}),
        concurrency=generator.concurrency,
        limit_s=_limit_s(generator, generator.samples),
        database=database,
        metrics=metrics,
    )


def _caller(
    name: str, chat: Chat, model: Judge | Generator, spend: Spend | None, database: Database, metrics: JudgeMetrics
) -> Caller:
    ledger = DatabaseLedger(database, lambda tenant: spend.limit_pico(tenant) if spend else None)
    return Caller(name, chat, Circuit(), ledger, model, metrics)


def _host(model: Judge | Generator) -> str:
    address = model.address
    return address.authority if address else Path(getattr(model, "local", "") or "").name
