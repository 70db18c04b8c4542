"""Drawing: alternative responses to a sample's question, from the generator that the policy names."""

from typing import Any

from models.judge.prompt import Message
from service.core.reviewing.judge import Generator
from service.core.store.reviews import TakenReview
from workers.judge.calling import Caller, OnBehalf
from workers.judge.chat import ChatRequest

# What an application asks its model stays its own: this is the plainest way to ask the same.
WITH_CONTEXTS = (
    "Answer the question from the documents alone, in the length that the question calls for. If they do not answer it, "
    "say so. Reply with the answer and nothing else."
)
WITHOUT = "Answer the question, in the length that it calls for. Reply with the answer and nothing else."


class Drawing:
    """Draws from one generator."""

    def __init__(self, caller: Caller, generator: Generator) -> None:
        """Calls nothing yet."""
        self._caller = caller
        self._generator = generator

    async def draw(self, row: TakenReview, until: float) -> list[dict[str, Any]]:
        """Alternative responses {text, likelihood}, those that are not empty; raises as `Asking.review` does."""
        drawn = []
        for number in range(self._generator.samples):
            request = ChatRequest(
                messages=_messages(row),
                schema=None,
                max_output_tokens=self._generator.max_output_tokens,
                temperature=self._generator.temperature,
                seed=None if self._generator.seed is None else self._generator.seed + number,
                logprobs=True,
            )
            behalf = OnBehalf(review_seq=row.seq, tenant=row.tenant, rule=row.rule, attempt=row.attempt)
            reply = await self._caller.call(request, purpose="draw", on_behalf=behalf, until=until, begun=number > 0)
            if reply.text.strip():
                drawn.append({"text": reply.text.strip(), "likelihood": reply.likelihood})
        return drawn


def _messages(row: TakenReview) -> tuple[Message, ...]:
    documents = [f"Document {number}:\n{each['text']}" for number, each in enumerate(row.contexts, 1)]
    asked = "\n\n".join([*documents, f"Question:\n{row.question}"])
    return (
        Message(role="system", content=WITH_CONTEXTS if documents else WITHOUT),
        Message(role="user", content=asked),
    )
