"""The schema: the reply's form, for endpoints that keep to a JSON schema."""

from typing import Any

from models.types import Verdict

_MOST_NUMBERS = 200  # claims whose numbers are listed: endpoints limit the length of lists


def reply_schema(claims: int, nonce: str) -> dict[str, Any]:
    """The JSON schema of a reply on so many claims, at least one, in the part of the language that strict modes know.

    Properties stand in the order in which they are to be written: the reasoning before the verdict. That each claim has
    one entry is more than a strict mode can say; `read_reply` checks it.
    """
    number: dict[str, Any] = {"type": "integer"}
    if claims <= _MOST_NUMBERS:
        number["enum"] = list(range(1, claims + 1))
    entry = _object(
        claim=number,
        reasoning={"type": "string"},
        verdict={"type": "string", "enum": [verdict.value for verdict in Verdict]},
        context={"type": ["integer", "null"]},
        quote={"type": ["string", "null"]},
    )
    return _object(nonce={"type": "string", "enum": [nonce]}, claims={"type": "array", "items": entry})


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
