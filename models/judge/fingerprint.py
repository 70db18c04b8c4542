"""The judge's fingerprint: a digest of all that changes what it makes of a response."""

import hashlib
import json

from models.claims import claims_version
from models.judge.prompt import JudgePrompt

# Raise with any change to what is sent, what of a reply counts, when a quote is found, or how votes are put together.
_RULES = "1"


def judge_fingerprint(  # noqa: PLR0913 - each a part of the digest, and named at the call
    prompt: JudgePrompt,
    *,
    model: str,
    temperature: float,
    seed: int | None,
    votes: int,
    max_output_tokens: int,
    schema: bool | str,
) -> str:
    """Hexadecimal SHA-256; verdicts of two fingerprints are never mixed.

    `model` names the weights: with its revision, where it has one. `schema` is how the reply's form is asked for.
    """
    parts = {
        "rules": _RULES,
        "claims": claims_version(),
        "prompt": [prompt.version, prompt.digest],
        "model": model,
        "temperature": float(temperature),
        "seed": seed,
        "votes": votes,
        "max_output_tokens": max_output_tokens,
        "schema": schema,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
