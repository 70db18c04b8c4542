"""Examples for the OpenAPI document: a real submission and what a running installation answered to it."""

from typing import Any

from service.core.rate_answer import BOUNDS_COVER, INTERVAL_COVERS

SUBMISSION: dict[str, Any] = {
    "id": "chat-7f3a",
    "question": "How long do I have to return a kettle?",
    "contexts": [{"id": "returns", "text": "Unused appliances can be returned within 30 days of delivery."}],
    "response": "You can return the kettle within 90 days of delivery.",
    "release": "2026.2",
    "route": "support",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
}
DECISION: dict[str, Any] = {
    "id": "chat-7f3a",
    "decision": "sampled",
    "reason": "hash",
    "stratum": "default",
    "inclusion_probability": 1.0,
    "policy_version": "f89f2f2449ae",
    "status_url": "/score/chat-7f3a",
}
BATCH: dict[str, Any] = {
    "results": [
        {
            "status": 202,
            "decision": {
                "id": "chat-7f3a",
                "decision": "sampled",
                "reason": "hash",
                "stratum": "default",
                "inclusion_probability": 1.0,
                "policy_version": "f89f2f2449ae",
                "status_url": "/score/chat-7f3a",
            },
            "problem": None,
        },
        {
            "status": 422,
            "decision": None,
            "problem": {
                "type": "urn:assay:problem:payload_invalid",
                "title": "The request body is not a valid submission.",
                "status": 422,
                "code": "payload_invalid",
                "detail": "This field is required. Add it.",
                "field": "response",
                "next_step": "Correct the field; /docs shows a valid body.",
                "id": None,
            },
        },
    ]
}
SAMPLE: dict[str, Any] = {
    "id": "chat-7f3a",
    "status": "scored",
    "reason": None,
    "score": 0.7829382300518174,
    "flagged": True,
    "threshold": 0.6936348799215049,
    "score_by": "nli",
    "direction": "higher_is_worse",
    "received_at": "2026-11-23T13:35:24.331497Z",
    "finished_at": "2026-11-23T13:35:31.897182Z",
    "decision": {
        "id": "chat-7f3a",
        "decision": "sampled",
        "reason": "hash",
        "stratum": "default",
        "inclusion_probability": 1.0,
        "policy_version": "f89f2f2449ae",
        "status_url": "/score/chat-7f3a",
    },
    "text": {"stored": "full", "removed_by": None, "removed_at": None, "redacted": None, "digests": None},
    "claims": [
        {
            "start": 0,
            "end": 53,
            "text": "You can return the kettle within 90 days of delivery.",
            "verdict": "contradicted",
            "score": 0.7829382300518174,
            "probability": {
                "entailment": 0.01178405566729732,
                "neutral": 0.15490904778390832,
                "contradiction": 0.8333068965487944,
            },
            "evidence": {
                "context_id": "returns",
                "start": 0,
                "end": 61,
                "text": "Unused appliances can be returned within 30 days of delivery.",
            },
        }
    ],
    "scores": [
        {
            "scorer": "nli",
            "fingerprint": "2852bb73ba77d32c2476b6d72ffd61f741cc95de1fd822231d8f999802019aa7",
            "score": 0.7829382300518174,
            "flagged": True,
            "threshold": 0.6936348799215049,
            "claims_checked": 1,
            "claims_flagged": 1,
            "pairs": 1,
            "attributes": {
                "backend": "openvino",
                "openvino": "2026.4.1-22982-e213a147257-releases/2026/4",
                "device": "Intel(R) Xeon(R) Processor",
                "capabilities": "BF16 BIN EXPORT_IMPORT FP16 FP32 INT8 WINOGRAD",
            },
            "created_at": "2026-11-23T13:35:31.897182Z",
        }
    ],
}
RATES: dict[str, Any] = {
    "estimand": "flagged rate: the share that this scorer would flag of all checkable submissions (those not `not_applicable`), by the process that produced this traffic; hallucination rate: the share of the same that people would label hallucinated",
    "interval_covers": INTERVAL_COVERS,
    "bounds_cover": BOUNDS_COVER,
    "clusters": "respected",
    "labels": {"not_drawn": 0, "undecided": 0},
    "unit": "response",
    "confidence": 0.95,
    "start": "2026-11-23T12:35:00Z",
    "end": "2026-11-23T13:36:00Z",
    "granularity_s": 3660.0,
    "group_by": ["release"],
    "match": {},
    "match_unknown": None,
    "buckets": [
        {
            "start": "2026-11-23T12:35:00Z",
            "end": "2026-11-23T13:36:00Z",
            "group": {"release": "2026.2"},
            "fingerprint": "2852bb73ba77d32c2476b6d72ffd61f741cc95de1fd822231d8f999802019aa7",
            "flagged": {
                "rate": 0.0958904109589041,
                "ci_low": 0.04722895459680576,
                "ci_high": 0.18495636690166184,
                "method": "hajek-wilson",
            },
            "hallucination": {
                "rate": None,
                "ci_low": None,
                "ci_high": None,
                "method": "two-phase-greg-wilson",
                "effective_n": None,
                "n_labels": 0,
                "labels_needed": 30,
                "labelled_share": None,
                "borrowed": False,
                "power": None,
            },
            "counts": {
                "submitted": 73,
                "sampled_out": 0,
                "rejected_overload": 0,
                "dropped_by_client": 0,
                "pending": 0,
                "scored": 73,
                "scored_by_others": 0,
                "not_applicable": 0,
                "unscored": 0,
                "duplicate": 2,
                "uncovered": 0,
            },
            "effective_n": 73.0,
            "bound_low": 0.0958904109589041,
            "bound_high": 0.0958904109589041,
        }
    ],
}

GOLDEN_RUN: dict[str, Any] = {
    "id": "kettles-2026.3",
    "set": "kettles",
    "target": "application",
    "name": "support bot",
    "release": "2026.3",
    "items": [
        {
            "id": "return-days",
            "question": "How long do I have to return a kettle?",
            "contexts": [{"id": "returns", "text": "Unused appliances can be returned within 30 days of delivery."}],
        }
    ],
    "answers": [{"item": "return-days", "responses": ["You can return the kettle within 90 days of delivery."]}],
}


def shown(value: Any) -> dict[str, Any]:
    """The part of an OpenAPI response that shows this example."""
    return {"content": {"application/json": {"example": value}}}
