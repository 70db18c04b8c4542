"""Votes: from replies to the verdict on a response."""

import pytest

from models.claims import split_claims
from models.judge.reply import ClaimReply, Reply
from models.judge.votes import judged
from models.types import Context, Evidence, Item, Judged, NotApplicable, NotApplicableReason, Verdict

S, C, U, N = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.UNSUPPORTED, Verdict.NOT_CHECKABLE
ITEM = Item(
    response="Hello! The bridge is red. Is it? It has a toll.",
    contexts=(Context(id="a", text="0123456789"),),
)
CLAIMS = split_claims(ITEM.response)


def cited(start: int) -> Evidence:
    return Evidence(context_id="a", context_index=0, start=start, end=start + 1, text=str(start))


def reply(*verdicts: Verdict, at: int = 0) -> Reply:
    return Reply(
        claims=tuple(
            ClaimReply(verdict=each, reasoning="", evidence=cited(at) if each in (S, C) else None) for each in verdicts
        )
    )


def outcome(*replies: Reply) -> Judged:
    found = judged(ITEM, CLAIMS, replies)
    assert isinstance(found, Judged)
    return found


def test_one_vote_is_the_verdict() -> None:
    """Of a single reply each score is 0 or 1, the response is as bad as its worst claim, and nothing is made up."""
    found = outcome(reply(S, C))
    claims = found.scored.claims
    assert [(claim.verdict, claim.score) for claim in claims] == [(N, None), (S, 0.0), (N, None), (C, 1.0)]
    assert all(claim.text == ITEM.response[claim.start : claim.end] for claim in claims)
    assert {claim.probability for claim in claims} == {None}
    assert (found.scored.score, found.scored.flagged, found.scored.threshold, found.scored.pairs) == (1.0, True, 0.5, 0)
    assert (found.scored.claims_checked, found.scored.claims_flagged) == (2, 1)
    assert (found.votes, found.variance) == (1, None)


@pytest.mark.parametrize(
    ("votes", "verdict", "score"),
    [
        ([S, S, U], S, 1 / 3),
        ([S, U, U], U, 2 / 3),
        ([S, C], C, 0.5),  # a tie goes to the worse
        ([S, U], U, 0.5),
        ([S, S, C, U], C, 0.5),
        ([C, U], C, 1.0),
        ([C, U, U], U, 1.0),
        ([S, S, C, C, U], C, 0.6),  # most do not support it, though no other verdict has more votes than supported
        ([S, N], S, 0.0),  # a vote that calls it not checkable is none
        ([C, N, N], C, 1.0),
        ([N, N], N, None),
    ],
)
def test_the_verdict_is_that_of_most_votes(votes: list[Verdict], verdict: Verdict, score: float | None) -> None:
    """The score is the share of votes that do not support the claim; below 0.5 exactly when it is supported."""
    claim = outcome(*(reply(vote, S) for vote in votes)).scored.claims[1]
    assert (claim.verdict, claim.score) == (verdict, score if score is None else pytest.approx(score))


def test_evidence_is_that_of_the_first_vote_that_won() -> None:
    """A vote that lost shows nothing."""
    found = outcome(reply(C, S, at=1), reply(S, S, at=2), reply(S, S, at=3))
    assert found.scored.claims[1].evidence == cited(2)
    assert outcome(reply(U, S), reply(C, S)).scored.claims[1].evidence == cited(0)
    assert outcome(reply(U, S), reply(U, S), reply(C, S)).scored.claims[1].evidence is None


@pytest.mark.parametrize(
    ("replies", "variance"),
    [
        ([(S, S), (S, S)], 0.0),
        ([(S, S), (S, U)], 0.25),
        ([(C, S), (S, U)], 0.0),  # each reply finds something wrong with the response
        ([(S, S), (S, S), (S, C)], 2 / 9),
        ([(S, S), (N, N)], None),  # a reply that checks nothing scores nothing
        ([(S, S), (N, U), (N, N)], 0.25),
    ],
)
def test_the_variance_is_that_of_the_replies(replies: list[tuple[Verdict, Verdict]], variance: float | None) -> None:
    """Of the response's score between the replies, each taken by itself."""
    found = outcome(*(reply(*verdicts) for verdicts in replies))
    assert found.variance == (variance if variance is None else pytest.approx(variance))
    assert found.votes == len(replies)


def test_nothing_checked_is_not_applicable() -> None:
    """Where no reply checks any claim there is no score."""
    assert judged(ITEM, CLAIMS, [reply(N, N)] * 2) == NotApplicable(reason=NotApplicableReason.NO_CLAIMS)
    greeting = Item(response="Hello!", contexts=())
    assert judged(greeting, split_claims("Hello!"), [Reply(claims=())]) == NotApplicable(
        reason=NotApplicableReason.NO_CLAIMS
    )


@pytest.mark.parametrize("replies", [[], [reply(S)], [reply(S, S), reply(S, S, S)]])
def test_replies_on_other_claims_are_refused(replies: list[Reply]) -> None:
    """A vote is only ever one on these claims."""
    with pytest.raises(ValueError, match="claims of this response"):
        judged(ITEM, CLAIMS, replies)
