"""Checks of the judge: somebody calls it, it answers, it has its key and its prompt, and there is money left."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec

from sqlalchemy import BigInteger, Connection, func, literal_column, select, type_coerce

from models.types import ModelError
from service.core.alerting.wording import span
from service.core.clock import EPOCH, from_microseconds, utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.errors import PolicyInvalidError
from service.core.policy import Policy, read_policy
from service.core.review_tables import Reviewer, llm_spend, reviews
from service.core.reviewing.judge import Generator, Judge
from service.core.store.circuits import Circuit, read_circuits
from workers.doctor.finding import Finding, fail, ok, warn
from workers.review_sweep import GENERATOR_WAIT

NEARLY = 0.9  # of a day's money
LATE = timedelta(minutes=1)  # the sweep that ends what is overdue may not have come yet
_PENDING = reviews.c.state == literal_column("'pending'")  # the partial index's predicate


def check_judge(settings: Settings, database: Database) -> Iterator[Finding]:
    """What the policy asks for is there, and at work; silent where it names no language model."""
    try:
        policy = read_policy(settings.policy_file)
    except PolicyInvalidError:  # its own check says so
        return
    models = [model for model in (policy.judge, policy.consistency.generator) if model is not None]
    if not models:
        return
    now = utc_now()
    with database.read() as connection:
        circuits = read_circuits(connection, now)
        yield from _equipped(settings, models, called=bool(circuits))
        yield from _at_work(circuits, now)
        yield from _waiting(connection, policy, now)
        yield from _spent(connection, policy, now)


def _equipped(settings: Settings, models: Sequence[Judge | Generator], *, called: bool) -> Iterator[Finding]:
    """What judge workers need here. `called`: one is at work, so the machine that it runs on has the library."""
    if any(model.url is not None for model in models) and not called and find_spec("openai") is None:
        yield fail(
            "judge", "openai is not installed, and the policy names an endpoint", "pip install 'assay-llm[judge]'"
        )
    keys = {"judge": settings.judge_api_key, "generator": settings.generator_api_key}
    for model in models:
        name = "judge" if isinstance(model, Judge) else "generator"
        if model.url is not None and not model.allow_private and not keys[name]:  # an empty one is none
            fix = f"Set ASSAY_{name.upper()}_API_KEY where judge workers run, if the endpoint wants a key."
            yield warn("judge", f"no key for the {name}'s endpoint is set here", fix)
        if isinstance(model, Judge) and find_spec("sentencex") is not None:
            from models.judge.prompt import load_prompt  # noqa: PLC0415 - stands on the splitter, which a sidecar lacks

            try:
                load_prompt(model.prompt)
            except ModelError as error:
                yield fail("judge", str(error), "Correct `prompt` under [judge], or the file; `assay check` reads it.")


def _at_work(circuits: Sequence[Circuit], now: datetime) -> Iterator[Finding]:
    if not circuits:
        fix = "Start one with `assay judge worker`; until then samples wait, and end as `judge_unavailable`."
        yield warn("judge", "no judge worker has told of itself for a minute", fix)
    for each in circuits:
        if each.state == "closed":
            yield ok("judge", f"{each.endpoint} is called by worker {each.holder[:12]}")
        else:
            text = f"{each.endpoint} is left alone by worker {each.holder[:12]} after {each.reason}, {span(now - each.since)}"
            yield warn("judge", text, "Look at the endpoint; docs/judge.md says what each reason means.")


def _waiting(connection: Connection, policy: Policy, now: datetime) -> Iterator[Finding]:
    waits = {Reviewer.JUDGE.value: timedelta(seconds=policy.judge.wait_s) if policy.judge else timedelta(0)}
    oldest = func.min(type_coerce(reviews.c.created_at, BigInteger)).label("oldest")
    waiting = select(reviews.c.reviewer, oldest).where(_PENDING).group_by(reviews.c.reviewer)
    for row in connection.execute(waiting.order_by(reviews.c.reviewer)).all():
        age = now - from_microseconds(int(row.oldest))
        if age > waits.get(row.reviewer, GENERATOR_WAIT) + LATE:
            fix = "Start a worker with this policy file in ASSAY_POLICY_FILE: it ends what waits in vain."
            yield warn("judge", f"a review by {row.reviewer} has waited for {span(age)}, longer than it may", fix)


def _spent(connection: Connection, policy: Policy, now: datetime) -> Iterator[Finding]:
    if policy.spend is None:
        return
    today = select(llm_spend.c.tenant, llm_spend.c.cost_pico).where(llm_spend.c.day == (now - EPOCH).days)
    for row in connection.execute(today.order_by(llm_spend.c.tenant)).all():
        share = int(row.cost_pico) / policy.spend.limit_pico(row.tenant)
        if share > NEARLY:
            fix = (
                "Raise `cost` under [spend], or lower the cascade's `floor`; from there on calls end as `spend_limit`."
            )
            yield warn("judge", f"{row.tenant} has spent {share:.0%} of today's money", fix)
