"""The vote: from the replies of a judge to the verdict on a response.

Two laws. One more vote against a claim never lowers its score. A claim is supported exactly when its score is below
0.5: half of the votes are not enough.
"""

from collections.abc import Sequence
from statistics import pvariance

from models.aggregate import judge_response
from models.calibrate import BALANCED
from models.claims import Claim, ClaimKind
from models.judge.prompt import checkable
from models.judge.reply import ClaimReply, Reply
from models.types import ClaimResult, Item, Judged, NotApplicable, NotApplicableReason, Verdict

_LEAST_FOR_VARIANCE = 2


def judged(item: Item, claims: Sequence[Claim], replies: Sequence[Reply]) -> Judged | NotApplicable:
    """The outcome of at least one reply on the claims of a response, the not checkable ones among them.

    A claim's score is the share of the votes on it that do not find it supported; a vote that calls it not checkable is
    none. Its verdict is that of most votes, and of two the worse; the response is as bad as its worst claim. `variance`
    is the population variance of the scores that the replies, each by itself, give the response.

    Not applicable when no reply checks any claim. Raises ValueError for no replies, or for one on other claims.
    """
    asked = checkable(claims)
    if not replies or any(len(reply.claims) != len(asked) for reply in replies):
        raise ValueError("there must be a reply, and each on the claims of this response")
    votes = iter(zip(*(reply.claims for reply in replies), strict=True))
    results = [_result(item, claim, next(votes) if claim.kind is ClaimKind.CHECKABLE else ()) for claim in claims]
    if all(result.score is None for result in results):
        return NotApplicable(reason=NotApplicableReason.NO_CLAIMS)
    scores = [score for score in map(_score, replies) if score is not None]
    return Judged(
        scored=judge_response(results, BALANCED, pairs=0),
        votes=len(replies),
        variance=pvariance(scores) if len(scores) >= _LEAST_FOR_VARIANCE else None,
    )


def _result(item: Item, claim: Claim, votes: Sequence[ClaimReply]) -> ClaimResult:
    counted = [vote for vote in votes if vote.verdict is not Verdict.NOT_CHECKABLE]
    verdict = _verdict([vote.verdict for vote in counted]) if counted else Verdict.NOT_CHECKABLE
    return ClaimResult(
        start=claim.start,
        end=claim.end,
        text=item.response[claim.start : claim.end],
        verdict=verdict,
        score=_against(counted) / len(counted) if counted else None,
        probability=None,  # a judge has none, and none is made up
        evidence=next((vote.evidence for vote in counted if vote.verdict is verdict), None),
    )


def _verdict(votes: Sequence[Verdict]) -> Verdict:
    contradicted, unsupported = votes.count(Verdict.CONTRADICTED), votes.count(Verdict.UNSUPPORTED)
    if votes.count(Verdict.SUPPORTED) > contradicted + unsupported:
        return Verdict.SUPPORTED
    return Verdict.CONTRADICTED if contradicted >= unsupported else Verdict.UNSUPPORTED


def _against(votes: Sequence[ClaimReply]) -> int:
    return sum(vote.verdict is not Verdict.SUPPORTED for vote in votes)


def _score(reply: Reply) -> float | None:
    """What one reply by itself gives the response: 1 if it finds any claim not supported; None if it checks none."""
    checked = [vote for vote in reply.claims if vote.verdict is not Verdict.NOT_CHECKABLE]
    return float(_against(checked) > 0) if checked else None
