"""Asking: one sample's verdicts from a judge, in as many votes as the policy wants, each repaired once if need be."""

import secrets
from dataclasses import dataclass

from models.claims import Claim, split_claims
from models.judge.prompt import JudgePrompt, Message, ask, ask_again, checkable, is_free
from models.judge.reply import Reply, ReplyInvalidError, read_reply
from models.judge.schema import reply_schema
from models.judge.votes import judged
from models.types import Context, Item, NotApplicable, NotApplicableReason, ReviewReason
from service.core.reviewing.judge import Judge
from service.core.store.reviews import ReviewOutcome, TakenReview
from workers.judge.calling import Caller, OnBehalf
from workers.judge.chat import ChatRequest

JUDGE, REPAIR = "judge", "repair"  # purposes of calls
NONCE_BYTES = 16
MOST_KEPT = 2_000  # characters of a reply that was not understood; two replies at most are kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewed:
    """What came out of a review."""

    outcome: ReviewOutcome
    transcript: list[dict[str, str]] | None = None  # of replies that were not understood
    failure: str | None = None  # what kept an endpoint from answering


class _NotUnderstoodError(Exception):
    """Neither the reply nor its repair is a verdict."""

    def __init__(self, reason: ReviewReason, transcript: list[dict[str, str]]) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.transcript = transcript


class Asking:
    """Asks one judge with one prompt."""

    def __init__(self, caller: Caller, judge: Judge, prompt: JudgePrompt) -> None:
        """Calls nothing yet."""
        self._caller = caller
        self._judge = judge
        self._prompt = prompt

    async def review(self, row: TakenReview, until: float) -> Reviewed:
        """The judge's verdicts on a sample.

        Args:
            row: the review, held.
            until: when it must be over, by the clock of the event loop.

        Raises:
            ChatFailedError: no answer came.
            CircuitOpenError: the endpoint is left alone for now.
            SpendLimitError: the tenant's money of the day is spent.
        """
        contexts = tuple(Context(id=each["id"], text=each["text"]) for each in row.contexts)
        item = Item(response=row.response, contexts=contexts, question=row.question)
        claims = split_claims(item.response)
        if not any(context.text.strip() for context in contexts):
            return Reviewed(outcome=NotApplicable(reason=NotApplicableReason.NO_CONTEXT))
        if not checkable(claims):
            return Reviewed(outcome=NotApplicable(reason=NotApplicableReason.NO_CLAIMS))
        if self._characters(item, claims) > self._judge.max_input_chars:
            return Reviewed(outcome=ReviewReason.INPUT_TOO_LONG)
        try:
            replies = [await self._vote(row, item, claims, vote, until) for vote in range(self._judge.votes)]
        except _NotUnderstoodError as error:
            return Reviewed(outcome=error.reason, transcript=error.transcript)
        return Reviewed(outcome=judged(item, claims, replies))

    def _characters(self, item: Item, claims: tuple[Claim, ...]) -> int:
        texts = [item.question or "", item.response, *(context.text for context in item.contexts)]
        return sum(map(len, texts)) + sum(len(claim.text) for claim in checkable(claims))

    async def _vote(self, row: TakenReview, item: Item, claims: tuple[Claim, ...], vote: int, until: float) -> Reply:
        nonce = _nonce(item)
        messages = ask(self._prompt, item, claims, nonce)
        text = await self._say(row, messages, nonce, claims, vote, JUDGE, until)
        try:
            return read_reply(text, nonce, item, claims)
        except ReplyInvalidError as error:
            first = error
        again = secrets.token_hex(NONCE_BYTES)
        messages = ask_again(self._prompt, messages, text, first.problem, again)
        repaired = await self._say(row, messages, again, claims, vote, REPAIR, until)
        try:
            return read_reply(repaired, again, item, claims)
        except ReplyInvalidError as error:
            kept = [
                {"reply": reply[:MOST_KEPT], "problem": problem}
                for reply, problem in ((text, first.problem), (repaired, error.problem))
            ]
            raise _NotUnderstoodError(error.reason, kept) from None

    async def _say(  # noqa: PLR0913, PLR0917 - one call, with all that it is told
        self,
        row: TakenReview,
        messages: tuple[Message, ...],
        nonce: str,
        claims: tuple[Claim, ...],
        vote: int,
        purpose: str,
        until: float,
    ) -> str:
        judge = self._judge
        request = ChatRequest(
            messages=messages,
            schema=None if judge.json_schema == "off" else reply_schema(len(checkable(claims)), nonce),
            max_output_tokens=judge.max_output_tokens,
            temperature=judge.temperature,
            seed=None if judge.seed is None else judge.seed + vote,
        )
        behalf = OnBehalf(review_seq=row.seq, tenant=row.tenant, rule=row.rule, attempt=row.attempt)
        begun = vote > 0 or purpose == REPAIR
        reply = await self._caller.call(request, purpose=purpose, on_behalf=behalf, until=until, begun=begun)
        return reply.text


def _nonce(item: Item) -> str:
    """32 hexadecimal characters that nobody could know before, and that no text of the item holds."""
    while not is_free(nonce := secrets.token_hex(NONCE_BYTES), item):
        pass  # whoever wrote the text would have to guess 128 bits
    return nonce
