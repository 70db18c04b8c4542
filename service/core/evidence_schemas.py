"""The span of a context that decided a claim, as it is shown."""

from pydantic import BaseModel


class EvidenceAnswer(BaseModel):
    """The span that decided; offsets are code points of the context as stored: as sent, or redacted."""

    context_id: str
    start: int
    end: int
    text: str | None  # null: the text is not stored any more
