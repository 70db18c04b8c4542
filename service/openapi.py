"""The OpenAPI document: bodies that handlers read themselves get their schemas here, answers a real example."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from service.core.client_schemas import ClientCounts
from service.core.schemas import Submission

REF = "#/components/schemas/{model}"


class Application(FastAPI):
    """FastAPI with the schema of a submission among the components."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            _, definitions = models_json_schema(
                [(Submission, "validation"), (ClientCounts, "validation")], ref_template=REF
            )
            document["components"]["schemas"] |= definitions["$defs"]
        return super().openapi()
