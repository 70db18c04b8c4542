"""A summariser that tells Assay of its answers: FastAPI, no model, nothing to download.

    pip install assay-client fastapi uvicorn
    python client/examples/summariser.py            # serves on 127.0.0.1:8080
    python client/examples/summariser.py --once     # summarises two texts and ends

The summary is made of the sentences whose words are the most frequent of the text. `POST /summarise` hands it to
Assay in the background; `POST /summarise/checked` waits for a verdict, up to two seconds, and passes the summary on
where there is none. `SIDECAR_URL` says where the sidecar listens.

Without a policy file the sidecar samples 5%, so most summaries are only counted and the rate has few samples to show.
To see each of them, run the sidecar with ASSAY_POLICY_FILE naming a file of these two lines:

    [sampling]
    rate = 1.0
"""

import argparse
import asyncio
import os
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from assay_client import AsyncAssayClient
from fastapi import FastAPI
from pydantic import BaseModel, Field

RELEASE = "frequency-1"
WORD = re.compile(r"\w{4,}")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
FERRY = (
    "The ferry between Marlow and Tolk will not run for three weeks. Part of the river bank slipped into the water on "
    "Sunday and damaged the landing ramp. Nobody was hurt. Divers will look at the ferry's chain on Thursday. Pupils "
    "from Tolk will be taken by bus over the bridge, and the bus is free of charge."
)
DAIRY = (
    "The council voted to move the library into the old dairy. The dairy has stood empty since 2011. The conversion of "
    "the dairy will cost 8.6 million crowns, of which the region pays a quarter. Work begins next spring."
)

assay = AsyncAssayClient(os.environ.get("SIDECAR_URL", "http://127.0.0.1:8000"))


class Text(BaseModel):
    """What to summarise."""

    text: str
    sentences: int = Field(default=2, ge=1, le=10)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Delivers what is held when the server stops."""
    yield
    await assay.close()


app = FastAPI(title="Summariser", lifespan=lifespan)


def summary_of(text: str, sentences: int) -> str:
    """The sentences whose words are the most frequent, in their order."""
    frequency = Counter(WORD.findall(text.lower()))
    found = SENTENCE_END.split(text.strip())

    def weight(sentence: str) -> float:
        words = WORD.findall(sentence.lower())
        return sum(frequency[word] for word in words) / (len(words) or 1)

    best = set(sorted(found, key=weight, reverse=True)[:sentences])
    return " ".join(sentence for sentence in found if sentence in best)


@app.post("/summarise")
@assay.observe(contexts="text.text", response="return.summary", release=RELEASE, route="/summarise")
async def summarise(text: Text) -> dict[str, str]:
    """Summarises. Assay hears of it in the background."""
    return {"summary": summary_of(text.text, text.sentences)}


@app.post("/summarise/checked")
async def summarise_checked(text: Text) -> dict[str, str | bool | None]:
    """Summarises, and says whether Assay flagged the summary; null where Assay could not say in time."""
    summary = summary_of(text.text, text.sentences)
    result = await assay.score(contexts=text.text, response=summary, release=RELEASE, route="/summarise/checked")
    return {"summary": summary, "check": result.status, "flagged": result.flagged}


async def once() -> None:
    """Summarises two texts."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://summariser") as client:
        for text in (FERRY, DAIRY):
            answer = await client.post("/summarise", json={"text": text})
            print(answer.raise_for_status().json())
    await assay.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="summarise two texts and end")
    if parser.parse_args().once:
        asyncio.run(once())
    else:
        uvicorn.run(app, host="127.0.0.1", port=8080)
