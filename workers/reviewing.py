"""Reviewing: with the end of each first score it is decided which further scorers look at a sample."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from redis.exceptions import RedisError
from sqlalchemy import Connection, select, update

from models.types import Alternative, Scored
from service.core.log import log
from service.core.metrics import WorkerMetrics
from service.core.policy import Policy
from service.core.queue import Doorbell
from service.core.review_tables import Place, Reviewer, Why
from service.core.reviewing.cascade import Bucket, allowed, expected_tokens, wanted
from service.core.reviewing.judge import Generator, Judge
from service.core.store.reviews import NewReview, ReviewedBy, add_reviews
from service.core.store.spending import read_bucket, write_bucket
from service.core.store.taking import Finished, Taken
from service.core.tables import samples
from workers.policy_file import PolicyFile


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What was decided for samples whose first score ends; nothing of it is written yet."""

    reviews: Mapping[int, Sequence[NewReview]] = field(default_factory=dict)  # by the sample's number
    probabilities: Mapping[int, float] = field(default_factory=dict)  # of being judged
    buckets: Mapping[str, Bucket] = field(default_factory=dict)  # as they were, by tenant

    @property
    def keep(self) -> AbstractSet[int]:
        """The samples whose texts reviews still need."""
        return {seq for seq, made in self.reviews.items() if any(review.outcome is None for review in made)}


class Reviewing:
    """Decides; one for each worker. Without a policy file there is self-consistency of what came with alternatives."""

    def __init__(
        self,
        *,
        policy_file: PolicyFile | None,
        metrics: WorkerMetrics,
        doorbell: Doorbell | None = None,
        draw: random.Random | None = None,
    ) -> None:
        """`doorbell`: of judge workers. `draw`: where chance comes from."""
        self._file = policy_file
        self._metrics = metrics
        self._doorbell = doorbell
        self._draw = draw or random.SystemRandom()

    def policy(self) -> Policy | None:
        """The policy in force; None while its file cannot be read."""
        return Policy() if self._file is None else self._file.read()

    @property
    def draws(self) -> bool:
        """Whether alternative responses are drawn, and so may wait to be compared."""
        policy = self.policy()
        return policy is not None and policy.consistency.generator is not None

    def alternatives(self, row: Taken) -> tuple[Alternative, ...]:
        """The alternative responses that came with a sample, as many as are compared."""
        policy = self.policy()
        if policy is None or not policy.consistency.sent:
            return ()
        sent = row.details.get("samples") or []
        return tuple(Alternative(text=text) for text in sent[: policy.consistency.most])

    def choose(self, connection: Connection, finished: Sequence[Finished], compared_by: ReviewedBy) -> Chosen:
        """Decides for samples that are about to end. Reads, and holds, the buckets of their tenants.

        Args:
            connection: of the transaction in which they end.
            finished: with their outcomes.
            compared_by: who compared those that came with alternative responses.
        """
        policy = self.policy()
        if policy is None:
            return Chosen()
        if policy.spend is not None:  # samples are held before buckets, by everybody: see `refund`
            seqs = sorted(row.taken.seq for row in finished)
            held = select(samples.c.seq).where(samples.c.seq.in_(seqs)).order_by(samples.c.seq).with_for_update()
            connection.execute(held).all()
        choice = _Choice(policy=policy, draw=self._draw, connection=connection)
        made: dict[int, list[NewReview]] = defaultdict(list)
        probabilities: dict[int, float] = {}
        for row in sorted(finished, key=lambda each: each.taken.tenant):  # buckets are held in one order
            if row.consistency is not None:
                made[row.taken.seq].append(_compared(row, compared_by))
            if not row.taken.in_rate:
                continue
            judged, probability = choice.judge(row)
            drawn = choice.generator(row)
            made[row.taken.seq] += [review for review in (judged, drawn) if review is not None]
            if probability is not None:
                probabilities[row.taken.seq] = probability
        return Chosen(
            reviews={seq: each for seq, each in made.items() if each},
            probabilities=probabilities,
            buckets=choice.buckets,
        )

    def write(self, connection: Connection, chosen: Chosen, counted: AbstractSet[int], now: datetime) -> int:
        """Writes what was decided for the samples that counted; how many reviews wait for a judge worker."""
        made = [review for seq, each in chosen.reviews.items() if seq in counted for review in each]
        add_reviews(connection, made, now)
        by_probability: dict[float, list[int]] = defaultdict(list)
        for seq, probability in chosen.probabilities.items():
            if seq in counted:
                by_probability[probability].append(seq)
        for probability, seqs in by_probability.items():
            connection.execute(update(samples).where(samples.c.seq.in_(seqs)).values(judge_probability=probability))
        for tenant, bucket in chosen.buckets.items():
            spent = sum(review.estimate_pico for review in made if review.tenant == tenant)
            write_bucket(connection, tenant, bucket.less(spent), now)
        for review in made:
            self._metrics.reviews_made.labels(review.reviewer.value, review.why.value).inc()
        uncovered = sum(chosen.probabilities[seq] == 0 for seq in counted & chosen.probabilities.keys())
        self._metrics.uncovered.inc(uncovered)
        return sum(review.place is Place.REMOTE for review in made)

    def ring(self) -> None:
        """Tells judge workers that there is something to do; they look by themselves every few seconds."""
        if self._doorbell is None:
            return
        try:
            self._doorbell.ring()
        except RedisError as error:
            log.debug("doorbell_failed", error=type(error).__name__)


def _compared(row: Finished, by: ReviewedBy) -> NewReview:
    return NewReview(
        sample_seq=row.taken.seq,
        tenant=row.taken.tenant,
        reviewer=Reviewer.CONSISTENCY,
        why=Why.SENT,
        probability=1.0,
        place=Place.LOCAL,
        outcome=row.consistency,
        by=by,
    )


@dataclass(kw_only=True, slots=True)
class _Choice:
    """The choice for one group of samples: what was chosen first leaves less for those behind it."""

    policy: Policy
    draw: random.Random
    connection: Connection
    buckets: dict[str, Bucket] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def judge(self, row: Finished) -> tuple[NewReview | None, float | None]:
        """The review, if it is chosen, and the probability with which it was; None where no judge is to see it."""
        judge = self.policy.judge
        if judge is None or row.taken.tenant not in judge.tenants:
            return None, None
        want = wanted(row.outcome, judge.cascade)
        if want is None:
            return None, None
        rate, why = want
        cost = judge.cost_pico(*self._tokens(row, judge, judge.votes))
        probability = self._allowed(row.taken.tenant, rate, cost)
        if self.draw.random() >= probability:
            return None, probability
        return self._review(row, Reviewer.JUDGE, why, probability, cost), probability

    def generator(self, row: Finished) -> NewReview | None:
        """The review for which alternative responses are drawn, if it is chosen."""
        generator = self.policy.consistency.generator
        taken = row.taken
        if generator is None or row.consistency is not None or taken.tenant not in generator.tenants:
            return None
        if not taken.question or not taken.response.strip():
            return None  # there is nothing to ask again
        cost = generator.cost_pico(*self._tokens(row, generator, generator.samples))
        probability = self._allowed(taken.tenant, generator.rate, cost)
        if self.draw.random() >= probability:
            return None
        return self._review(row, Reviewer.CONSISTENCY, Why.DRAWN, probability, cost)

    def _allowed(self, tenant: str, rate: float, cost: int) -> float:
        spend = self.policy.spend
        if spend is None or cost == 0:
            return rate
        if tenant not in self.buckets:
            self.buckets[tenant] = read_bucket(self.connection, tenant, spend.limit_pico(tenant))
        left = self.buckets[tenant].less(self.spent[tenant])
        return allowed(rate, left.scale(cost), spend.least)

    def _review(self, row: Finished, reviewer: Reviewer, why: Why, probability: float, cost: int) -> NewReview:
        self.spent[row.taken.tenant] += cost
        return NewReview(
            sample_seq=row.taken.seq,
            tenant=row.taken.tenant,
            reviewer=reviewer,
            why=why,
            probability=probability,
            place=Place.REMOTE,
            estimate_pico=cost,
        )

    @staticmethod
    def _tokens(row: Finished, model: Judge | Generator, replies: int) -> tuple[int, int]:
        taken = row.taken
        chars = len(taken.question or "") + len(taken.response) + sum(len(each["text"]) for each in taken.contexts)
        claims = row.outcome.claims_checked if isinstance(row.outcome, Scored) else 1 + len(taken.response) // 120
        return expected_tokens(chars, claims, replies, model.max_output_tokens)
