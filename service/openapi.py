"""The OpenAPI document: what the framework cannot know of bodies, parameters and problems is added here."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from service.core.alert_schemas import SilenceSent
from service.core.client_schemas import ClientCounts
from service.core.fields import MAX_LABEL_BYTES
from service.core.golden.record import TargetKind
from service.core.golden.run_schemas import GoldenRunSent
from service.core.label_schemas import ANNOTATOR, FeedbackSent, LabelsSent
from service.core.payload import ALIASES
from service.core.schemas import ProblemAnswer, Submission
from service.core.store.rates import DIMENSIONS

REF = "#/components/schemas/{model}"
PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": REF.format(model="ProblemAnswer")}}}
# What any request may be answered before a route sees it.
ANYWHERE = {
    "400": "The request is not valid HTTP/1.1.",
    "403": "The Host or Origin header is foreign, or the API key lacks the scope.",
    "408": "The request did not come in time.",
    "429": "Too much is being asked at once.",
    "431": "The headers are too large.",
}
HEADERS: dict[str, Any] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`."}},
    "429": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    "503": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
}
SENT = (Submission, ClientCounts, LabelsSent, FeedbackSent, SilenceSent, GoldenRunSent)
_DURATION = {"type": "string", "pattern": "^[0-9]{1,6}[smhdw]$"}
_DIMENSION = f"({'|'.join(DIMENSIONS)})"
# Read as text by the routes, so that what is wrong is one kind of problem; here what they accept.
PARAMETERS: dict[str, dict[str, Any]] = {
    "wait": {"type": "number", "exclusiveMinimum": 0, "maximum": 30},
    "from": {"type": "string", "format": "date-time"},
    "to": {"type": "string", "format": "date-time"},
    "window": _DURATION,
    "granularity": _DURATION,
    "group_by": {"type": "string", "pattern": f"^{_DIMENSION}(,{_DIMENSION})*$"},
    "unit": {"type": "string", "enum": ["response", "claim"], "default": "response"},
    "estimand": {"type": "string", "enum": ["process", "traffic"], "default": "process"},
    "baseline_from": {"type": "string", "format": "date-time"},
    "baseline_to": {"type": "string", "format": "date-time"},
    "dimension": {"type": "string", "enum": list(DIMENSIONS)},
    "split_by": {"type": "string", "pattern": f"^{_DIMENSION}(,{_DIMENSION})*$"},
    "ended": {"type": "string", "enum": ["true", "false"], "default": "false"},
    "before": {"type": "integer", "minimum": 1},
    "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100},
    "number": {"type": "integer", "minimum": 1},
    "annotator": {"type": "string", "pattern": ANNOTATOR},
    "kind": {"type": "string", "enum": list(TargetKind)},
    "margin": {"type": "number", "minimum": 0, "maximum": 1},
    "record": {"type": "string", "enum": ["true", "false"], "default": "false"},
    "confidence": {"type": "number", "minimum": 0.5, "maximum": 0.9999, "default": 0.95},
}


class Application(FastAPI):
    """FastAPI whose document says what is sent and answered."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            _add_schemas(document["components"]["schemas"])
            for path in document["paths"].values():
                for operation in path.values():
                    _correct(operation)
        return super().openapi()


def _add_schemas(schemas: dict[str, Any]) -> None:
    _, definitions = models_json_schema(
        [
            *((sent, "validation") for sent in SENT),
            (ProblemAnswer, "serialization"),
        ],
        ref_template=REF,
    )
    schemas |= definitions["$defs"]
    for framework_own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework_own, None)
    properties = schemas["Submission"]["properties"]
    texts = {"anyOf": [{"type": "string"}, {"$ref": REF.format(model="ContextSent")}]}
    properties["contexts"] = {
        "title": "Contexts",
        "description": "What the response was given: one text, or texts and passages.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": texts}, {"type": "null"}],
        "default": [],
    }
    for name, aliases in ALIASES.items():
        for alias in aliases:
            properties[alias] = properties[name] | {"description": f"Another name of `{name}`; send one of them."}
    # One of the names of a response is required; which is not said, so that each may be used.
    del schemas["Submission"]["required"]
    schemas["Submission"]["anyOf"] = [{"required": [name]} for name in ("response", *ALIASES["response"])]
    schemas["Submission"]["description"] += f" Labels have at most {MAX_LABEL_BYTES} bytes of UTF-8."


def _correct(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        parameter["schema"] = PARAMETERS.get(parameter["name"], parameter["schema"])
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]  # never answered: parameters are read as text, bodies by service.core.payload
    for status, description in ANYWHERE.items():
        responses.setdefault(status, {"description": description, "content": PROBLEM_CONTENT})
    for status, headers in HEADERS.items():
        if responses.get(status, {}).get("content") == PROBLEM_CONTENT:
            responses[status]["headers"] = headers
