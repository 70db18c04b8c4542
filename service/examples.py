"""Examples for the OpenAPI document: a real submission and what a running installation answered to it."""

from typing import Any

SUBMISSION: dict[str, Any] = {
    "id": "chat-7f3a",
    "question": "How long do I have to return a kettle?",
    "contexts": [{"id": "returns", "text": "Unused appliances can be returned within 30 days of delivery."}],
    "response": "You can return the kettle within 90 days of delivery.",
    "release": "2026.2",
    "route": "support",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
}
DECISION: dict[str, Any] = {}
BATCH: dict[str, Any] = {}
SAMPLE: dict[str, Any] = {}
RATES: dict[str, Any] = {}


def shown(value: Any) -> dict[str, Any]:
    """The part of an OpenAPI response that shows this example."""
    return {"content": {"application/json": {"example": value}}}
