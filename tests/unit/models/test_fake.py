"""The fake scorer: overlap, and the directives that rehearse failures."""

import subprocess
import sys
import time

import pytest

from models.fake import CRASH_EXIT_CODE, FakeScorer
from models.types import (
    Context,
    Item,
    ModelError,
    NotApplicable,
    NotApplicableReason,
    Outcome,
    Scored,
    Unscored,
    UnscoredReason,
    Verdict,
)


def item(response: str, context: str = "The shop opens at nine.") -> Item:
    return Item(response=response, contexts=(Context(id="0", text=context),))


def score(response: str, context: str = "The shop opens at nine.") -> Outcome:
    return FakeScorer().score([item(response, context)], lambda: None)[0]


def test_overlap_is_the_score() -> None:
    """The score of a claim is the share of its content words that no context holds."""
    scored = score("The shop opens at nine. The shop sells blue bananas.")
    assert isinstance(scored, Scored)
    assert [claim.score for claim in scored.claims] == [0.0, 0.75]
    assert [claim.verdict for claim in scored.claims] == [Verdict.SUPPORTED, Verdict.UNSUPPORTED]
    assert (scored.score, scored.flagged) == (0.75, True)


@pytest.mark.parametrize(
    ("response", "context", "reason"),
    [
        ("The shop.", " ", NotApplicableReason.NO_CONTEXT),
        ("Hello!", "Some text.", NotApplicableReason.NO_CLAIMS),
        ("I cannot answer that.", "Some text.", NotApplicableReason.REFUSAL),
    ],
)
def test_not_applicable(response: str, context: str, reason: NotApplicableReason) -> None:
    """The fake declines what the real scorer declines."""
    assert score(response, context) == NotApplicable(reason=reason)


def test_nan_directive_leaves_neighbours_alone() -> None:
    """[[fake:nan]] makes its own item unscored."""
    outcomes = FakeScorer().score([item("[[fake:nan]] Shop."), item("The shop opens.")], lambda: None)
    assert outcomes[0] == Unscored(reason=UnscoredReason.NOT_FINITE)
    assert isinstance(outcomes[1], Scored)


def test_raise_directive() -> None:
    """[[fake:raise]] fails the call."""
    with pytest.raises(ModelError, match="asked the fake scorer to fail"):
        score("[[fake:raise]]")


def test_slow_directive_scores_and_keeps_offsets() -> None:
    """[[fake:slow=..]] only takes time; spans are those of the response as sent."""
    response = "[[fake:slow=0.05]] The shop opens."
    begun = time.monotonic()
    scored = score(response)
    assert time.monotonic() - begun >= 0.05
    assert isinstance(scored, Scored)
    assert [response[claim.start : claim.end] for claim in scored.claims] == ["The shop opens."]


def test_crash_directive_ends_the_process() -> None:
    """[[fake:crash]] ends the process with its own exit code, past every handler."""
    code = (
        "from models.fake import FakeScorer\n"
        "from models.types import Context, Item\n"
        "given = Item(response='[[fake:crash]]', contexts=(Context(id='0', text='x'),))\n"
        "FakeScorer().score([given], lambda: None)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == CRASH_EXIT_CODE


def test_progress_is_called_for_each_item() -> None:
    """A caller sees progress item by item."""
    ticks: list[int] = []
    FakeScorer().score([item("The shop."), item("A bank.")], lambda: ticks.append(1))
    assert len(ticks) == 2


def test_fingerprint_follows_the_threshold() -> None:
    """Scores of another threshold are another fingerprint's."""
    assert len({FakeScorer(threshold).fingerprint for threshold in ("strict", "balanced", 0.3)}) == 3


@pytest.mark.parametrize("threshold", ["lenient", 0, 2])
def test_bad_threshold(threshold: str | float) -> None:
    """A threshold that is none is refused."""
    with pytest.raises(ModelError, match="give 'strict'"):
        FakeScorer(threshold)
