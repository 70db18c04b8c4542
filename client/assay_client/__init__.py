"""assay-client: hands an application's answers to Assay, and never hurts the application."""

from assay_client.asgi import AssayMiddleware
from assay_client.client import AssayClient, AsyncAssayClient
from assay_client.guardrail import AssayUnavailableError, Claim, ScoreResult
from assay_client.observe import Call
from assay_client.settings import Settings
from assay_client.shared import Stats
from assay_client.submission import Context, Fields, Usage

__all__ = [
    "AssayClient",
    "AssayMiddleware",
    "AssayUnavailableError",
    "AsyncAssayClient",
    "Call",
    "Claim",
    "Context",
    "Fields",
    "ScoreResult",
    "Settings",
    "Stats",
    "Usage",
]
