"""Problems: the one table from error to HTTP status, and RFC 9457 answers."""

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from service.core import errors
from service.core.log import log, where
from service.core.problem import problem_answer
from service.core.schemas import ProblemAnswer

STATUS: dict[type[errors.AssayError], int] = {
    errors.QueryInvalidError: 400,
    errors.RequestInvalidError: 400,
    errors.KeyMissingError: 401,
    errors.KeyUnknownError: 401,
    errors.ScopeMissingError: 403,
    errors.HostRefusedError: 403,
    errors.SampleUnknownError: 404,
    errors.LabelTargetUnknownError: 404,
    errors.ClientSamplingOffError: 404,
    errors.RuleUnknownError: 404,
    errors.GoldenRunUnknownError: 404,
    errors.GoldenSetUnknownError: 404,
    errors.SilenceUnknownError: 404,
    errors.RequestTooSlowError: 408,
    errors.BodyTooSlowError: 408,
    errors.SampleConflictError: 409,
    errors.GoldenRunsDifferError: 409,
    errors.GoldenRunConflictError: 409,
    errors.BodyTooLargeError: 413,
    errors.EncodingUnknownError: 415,
    errors.PayloadInvalidError: 422,
    errors.OverloadedError: 429,
    errors.HeadersTooLargeError: 431,
    errors.StoreUnavailableError: 503,
    # Raised at start only; here so that the table is whole.
    errors.SettingsInvalidError: 500,
    errors.PolicyInvalidError: 500,
    errors.StartRefusedError: 500,
    errors.SchemaMismatchError: 500,
    errors.SchemaNewerError: 500,
}
PROBLEM: dict[str, Any] = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
}
FAILURES: dict[int | str, dict[str, Any]] = {
    401: PROBLEM | {"description": "The API key is missing or unknown."},
    403: PROBLEM | {"description": "The API key lacks the scope, or the Host header is foreign."},
    413: PROBLEM | {"description": "The body is too large."},
    415: PROBLEM | {"description": "The body is compressed."},
    422: PROBLEM | {"description": "The body is not valid; `field` names where."},
    503: PROBLEM | {"description": "The database did not answer. Retry with the same id."},
}
READ_FAILURES: dict[int | str, dict[str, Any]] = {k: v for k, v in FAILURES.items() if k in {401, 403, 503}}
RETRY_AFTER_S = {429: "5", 503: "2"}
MEDIA_TYPE = "application/problem+json"


def problem(error: errors.AssayError, sample_id: str | None = None) -> ProblemAnswer:
    """The answer for an error."""
    return problem_answer(error, STATUS[type(error)], sample_id)


def problem_response(error: errors.AssayError, sample_id: str | None = None) -> JSONResponse:
    """The HTTP response for an error."""
    answer = problem(error, sample_id)
    return JSONResponse(answer.model_dump(), answer.status, headers_of(answer.status), media_type=MEDIA_TYPE)


def headers_of(status: int) -> dict[str, str]:
    """The headers that belong to a problem's status."""
    headers = {"Retry-After": RETRY_AFTER_S[status]} if status in RETRY_AFTER_S else {}
    if status == 401:  # noqa: PLR2004 - the status's own number says it best
        headers["WWW-Authenticate"] = "Bearer"
    return headers


async def on_assay_error(request: Request, error: Exception) -> JSONResponse:
    """Answers an AssayError."""
    del request
    if not isinstance(error, errors.AssayError):  # never: it is registered for that class alone
        raise error
    return problem_response(error)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Answers what the framework refuses: an unknown path, a wrong method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else "error"
    answer = ProblemAnswer(
        type="about:blank",
        title=detail,
        status=status,
        code=detail.lower().replace(" ", "_"),
        detail=f"{detail}.",
        field=None,
        next_step="GET /docs lists the paths and methods.",
    )
    headers = getattr(error, "headers", None)
    if status == 405 and (methods := _methods(request)):  # noqa: PLR2004 - the status's own number says it best
        headers = {"Allow": ", ".join(methods)}
    return JSONResponse(answer.model_dump(), status, headers, media_type=MEDIA_TYPE)


def _methods(request: Request) -> list[str]:
    """All that a documented path has: the framework names those of the first of its routes alone."""
    path = getattr(request.scope.get("route"), "path", "")
    return sorted(method.upper() for method in request.app.openapi()["paths"].get(path, {}))


async def on_disconnect(request: Request, error: Exception) -> Response:
    """Ends a request whose client hung up; nobody reads the answer."""
    del request, error
    return Response(status_code=400)


async def on_bug(request: Request, error: Exception) -> JSONResponse:
    """Answers what should never happen, and logs where; never the request's text."""
    log.error("request_failed", route=getattr(request.scope.get("route"), "path", "none"), error=where(error))
    answer = ProblemAnswer(
        type="urn:assay:problem:bug",
        title="This is a bug.",
        status=500,
        code="bug",
        detail="The sidecar failed; its log says where.",
        field=None,
        next_step="Report it with the log lines of event `request_failed`.",
    )
    return JSONResponse(answer.model_dump(), 500, media_type=MEDIA_TYPE)
