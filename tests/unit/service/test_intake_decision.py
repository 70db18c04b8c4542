"""What intake makes of a submission before anything is stored."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest

from service.core.db import Database
from service.core.metrics import SidecarMetrics
from service.core.policy import Policy
from service.core.store.rollups import Place
from service.core.store.samples import NewSample
from service.intake import Intake, PolicyInForce
from service.sampling import position
from service.watch import Watch
from service.writer import Fate, Written
from tests.unit.service.support import body, parsed, policy

SAMPLED_AT_HALF, LEFT_OUT_AT_HALF = "b", "a"


@dataclass
class KeepingWriter:
    """A writer that keeps rows instead of storing them."""

    rows: list[NewSample] = field(default_factory=list)

    def submit(self, rows: Sequence[NewSample]) -> list[Future[Written]]:
        self.rows += rows
        done: Future[Written] = Future()
        done.set_result(Written(fate=Fate.ACCEPTED))
        return [done for _ in rows]


@dataclass
class KeepingLedger:
    """A ledger that keeps what it is told to count."""

    keys: list[Place] = field(default_factory=list)

    def count(self, key: Place) -> None:
        self.keys.append(key)


@dataclass
class Kept:
    intake: Intake
    writer: KeepingWriter
    ledger: KeepingLedger

    def receive(self, sent: bytes, *, forced: bool = False) -> str:
        received = self.intake.receive(parsed(sent), "acme", forced=forced)
        asyncio.run(self.intake.settle([received]))
        return received.decision.choice.value


@pytest.fixture
def kept() -> Kept:
    """An intake at 50% that stores nothing."""
    writer, ledger = KeepingWriter(), KeepingLedger()
    intake = Intake(
        writer=writer,  # type: ignore[arg-type]
        ledger=ledger,  # type: ignore[arg-type]
        watch=Watch(Database("sqlite://"), Policy),
        metrics=SidecarMetrics(),
        timeout_s=1.0,
    )
    intake.policy = PolicyInForce(policy=policy(0.5), version="v1")
    return Kept(intake, writer, ledger)


def test_the_two_units_of_these_tests() -> None:
    """The tests below stand on one unit on each side of one half."""
    assert position(SAMPLED_AT_HALF, "") < 0.5 <= position(LEFT_OUT_AT_HALF, "")


def test_id_decides_without_a_trace(kept: Kept) -> None:
    """Without a trace the id is hashed."""
    assert [kept.receive(body(id=unit)) for unit in (SAMPLED_AT_HALF, LEFT_OUT_AT_HALF)] == ["sampled", "sampled_out"]


def test_trace_decides_if_given(kept: Kept) -> None:
    """A trace is in or out as a whole, whatever the ids of its submissions are."""
    inside = {kept.receive(body(id=f"x{n}", trace_id=SAMPLED_AT_HALF)) for n in range(20)}
    outside = {kept.receive(body(id=f"y{n}", trace_id=LEFT_OUT_AT_HALF)) for n in range(20)}
    assert (inside, outside) == ({"sampled"}, {"sampled_out"})


def test_sampled_out_is_counted_without_a_row(kept: Kept) -> None:
    """A submission that is left out makes no row, only a count."""
    kept.receive(body(id=LEFT_OUT_AT_HALF, release="2026.2"))
    assert kept.writer.rows == []
    assert [(key.tenant, key.outcome, key.release) for key in kept.ledger.keys] == [("acme", "sampled_out", "2026.2")]


def test_forced_row_is_outside_the_rate(kept: Kept) -> None:
    """A row that only a waiting caller brought about is urgent and counts in no rate."""
    kept.receive(body(id=LEFT_OUT_AT_HALF), forced=True)
    assert [(row.decision, row.in_rate, row.urgent) for row in kept.writer.rows] == [("forced", False, True)]


def test_tags_and_tenant_reach_the_policy(kept: Kept) -> None:
    """Rules see the tenant of the key and the tags of the submission."""
    rules = '[[sampling.rules]]\nname = "gold"\nrate = 1.0\nmatch = { tenant = "acme", "tags.plan" = "gold" }'
    kept.intake.policy = PolicyInForce(policy=policy(0.0, rules=rules), version="v2")
    assert kept.receive(body(id="a", tags={"plan": "gold"})) == "sampled"
    assert kept.receive(body(id="a", tags={"plan": "free"})) == "sampled_out"


def test_context_without_id_is_named_by_its_position(kept: Kept) -> None:
    """Contexts without ids are stored under their position as a decimal string."""
    kept.receive(body(id=SAMPLED_AT_HALF, contexts=[{"id": "faq", "text": "One."}, "Two."]))
    assert [context["id"] for context in kept.writer.rows[0].contexts] == ["faq", "1"]


def test_position_gives_way_to_a_callers_id(kept: Kept) -> None:
    """A caller's own id is kept; a position that is one already is prefixed, so that evidence names one context."""
    kept.receive(
        body(id=SAMPLED_AT_HALF, contexts=[{"id": "1", "text": "One."}, "Two.", {"id": "_1", "text": "Three."}])
    )
    assert [context["id"] for context in kept.writer.rows[0].contexts] == ["1", "__1", "_1"]


def test_alias_and_name_are_the_same_body(kept: Kept) -> None:
    """Idempotency looks at what is said, not at which accepted name said it."""
    kept.receive(body(id=SAMPLED_AT_HALF, question="Q?", contexts=["One."]))
    kept.receive(body(id=SAMPLED_AT_HALF, query="Q?", retrieved_contexts=[{"text": "One."}]))
    kept.receive(body(id=SAMPLED_AT_HALF, question="Other?", contexts=["One."]))
    digests = [row.body_digest for row in kept.writer.rows]
    assert digests[0] == digests[1] != digests[2]
