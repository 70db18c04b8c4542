"""The bare endpoint that `POST /score` is measured against: what a team would write to take the same body.

It reads the body into the same pydantic model and answers 202 with a small JSON. It decides nothing, counts nothing,
checks no key, no host and no size, and stores nothing.
"""

from fastapi import FastAPI
from pydantic import BaseModel

from service.core.schemas import Submission


class Received(BaseModel):
    """That it was read."""

    id: str | None
    received: bool


def make_app() -> FastAPI:
    """An app with the one endpoint; uvicorn's factory."""
    app = FastAPI()

    @app.post("/score", status_code=202)
    async def score(submission: Submission) -> Received:
        return Received(id=submission.id, received=True)

    return app
