"""Golden runs over HTTP: sent, waited for and read, however Assay stumbles meanwhile."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from assay_client.wire import UNTAKEN

REQUEST_S = 60.0
LEAST_S = 1.0  # for a request at the deadline
FIRST_REST_S, LONGEST_REST_S = 0.1, 2.0
NO_BASELINE = "none"
FINISHED = "finished"


class GoldenError(Exception):
    """Nothing can be said of the target: Assay is away, refuses, or does not answer in time. Its text says what to do."""


class AwayError(GoldenError):
    """Nobody answered."""


class RefusedError(GoldenError):
    """Assay answered with an error."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where Assay is, and the key that it wants."""

    url: str
    api_key: str | None = field(default=None, repr=False)

    def request(self, method: str, path: str, document: Any = None, timeout: float = REQUEST_S) -> Any:
        """One request and its JSON answer.

        Raises RefusedError with the status of a refusal, AwayError where nobody answered, GoldenError for another answer.
        """
        headers = {} if self.api_key is None else {"authorization": f"Bearer {self.api_key}"}
        try:
            with httpx.Client(trust_env=False, timeout=timeout) as client:
                answer = client.request(method, self.url.rstrip("/") + path, json=document, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AwayError(
                f"Assay at {self._shown} cannot be reached ({type(error).__name__}). Start it (`assay up`), give its URL by "
                "ASSAY_URL, or have it started: pytest --assay-start."
            ) from None
        if not answer.is_success:
            raise RefusedError(answer.status_code, _problem(answer))
        try:
            return answer.json()
        except ValueError:
            raise GoldenError(f"What answers at {self._shown} is no Assay.") from None

    @property
    def _shown(self) -> str:
        """Without what it holds of credentials."""
        try:
            return str(httpx.URL(self.url).copy_with(userinfo=b"", query=None))
        except (httpx.InvalidURL, TypeError):
            return "this URL"


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenRun:
    """A run that is scored."""

    place: Place
    document: Mapping[str, Any]  # the answer of GET /golden-runs/{id}, with its record

    @property
    def id(self) -> str:
        """What later runs name as their baseline."""
        return str(self.document["id"])

    def against(self, baseline: str, margin: float | None) -> Mapping[str, Any]:
        """The run beside another; `margin` as a share. Raises GoldenError."""
        more = "" if margin is None else f"&margin={margin!r}"
        path = f"/golden-runs/{quote(self.id, safe='')}?record=true&baseline={quote(baseline, safe='')}{more}"
        found: Mapping[str, Any] = self.place.request("GET", path)
        return found


def run(place: Place, sent: Mapping[str, Any], deadline: float) -> GoldenRun:
    """Sends a run and waits until all of it is scored. Raises GoldenError."""
    named = {"id": uuid4().hex, **sent}  # so that a request without an answer can be sent again, and is one run
    path = f"/golden-runs/{quote(named['id'], safe='')}"
    accepted = _patiently(place, "POST", "/golden-runs", deadline, named)
    if not isinstance(accepted, dict) or accepted.get("id") != named["id"]:
        raise GoldenError("What answers there is no Assay, or one without golden runs.")
    rest_s = FIRST_REST_S
    while True:
        document = _patiently(place, "GET", path, deadline)
        if document["state"] == FINISHED:
            found = _patiently(place, "GET", f"{path}?record=true&baseline={NO_BASELINE}", deadline)
            return GoldenRun(place=place, document=found)
        if time.monotonic() > deadline:
            pending = document["answers"].get("pending", 0)
            raise GoldenError(
                f"{pending} answers of the golden run {named['id']} are not scored in time. Is a worker running (`assay "
                "doctor`)? Give a longer timeout, or wait and read the run."
            )
        time.sleep(min(rest_s, max(0.0, deadline - time.monotonic()) + FIRST_REST_S))
        rest_s = min(LONGEST_REST_S, rest_s * 1.5)


def _patiently(place: Place, method: str, path: str, deadline: float, document: Any = None) -> Any:
    """A request that may be sent twice, tried again until the deadline: no stumble costs all that was asked and scored.

    An Assay that was never reached is said to be away at once.
    """
    rest_s = FIRST_REST_S
    while True:
        left = max(LEAST_S, deadline - time.monotonic())
        try:
            return place.request(method, path, document, min(REQUEST_S, left))
        except (AwayError, RefusedError) as error:
            lasting = isinstance(error, RefusedError) and error.status not in UNTAKEN
            first = isinstance(error, AwayError) and document is not None and _unreached(error)
            if lasting or first or time.monotonic() + rest_s > deadline:
                raise
        time.sleep(rest_s)
        rest_s = min(LONGEST_REST_S, rest_s * 1.5)


def _unreached(error: AwayError) -> bool:
    return isinstance(error.__context__, (httpx.ConnectError, httpx.InvalidURL, httpx.UnsupportedProtocol))


def _problem(answer: httpx.Response) -> str:
    try:
        document = answer.json()
        parts = [document["detail"], document.get("next_step") or ""]
        field_name = document.get("field")
        return " ".join(part for part in ([f"{field_name}:"] if field_name else []) + parts if part)
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"Assay answered with status {answer.status_code}."
