"""The wire: one request, bounded in time and size as a whole.

It uses httpx's transport, not its client: no redirects, no cookies, no proxies or credentials of the environment (the
sidecar is a neighbour), and no line in the application's log for each request.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any, Self

import httpx

UNTAKEN = {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
SENDING = "send_request_headers.started"  # httpcore's name of the moment from which a server may have the request
MAX_ANSWER_BYTES = 32 * 2**20
MAX_RETRY_AFTER_S = 300.0
KEEPALIVE_S = 4.0  # below the five seconds after which uvicorn hangs up
JSON = "application/json"
NDJSON = "application/x-ndjson"


def tls_context(url: str, verify: ssl.SSLContext | bool) -> ssl.SSLContext:  # noqa: FBT001 - as httpx takes it
    """How the server's certificate is checked; for a plain http URL, one that reads no certificates.

    Raises ValueError for a URL that is none, OSError for certificates that cannot be read.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        # Neither the URL nor httpx's words are repeated: both may hold a password.
        raise ValueError("The URL of the sidecar must begin with http:// or https:// and name a host.")
    return httpx.create_ssl_context(verify=verify if parsed.scheme == "https" else False)


def sendable_key(api_key: str | None) -> str | None:
    """The key without the white space around it, such as the newline of a file; None for an empty one.

    Raises ValueError where no header can carry it.
    """
    key = api_key.strip() if isinstance(api_key, str) else api_key
    if not key:
        return None
    if not isinstance(key, str) or not all("!" <= character <= "~" for character in key):
        raise ValueError("api_key must be a text of visible ASCII characters, as `assay keys create` prints it.")
    return key


def may_succeed_later(status: int) -> bool:
    """Whether the same request, answered so, may be sent again."""
    return status in UNTAKEN or status >= httpx.codes.INTERNAL_SERVER_ERROR


class WireError(Exception):
    """No answer. `sent` says whether the server may have read the request nevertheless."""

    def __init__(self, problem: str, *, sent: bool) -> None:
        """`problem`: in words, without anything of the request."""
        super().__init__(problem)
        self.sent = sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back."""

    status: int
    retry_after_s: float | None
    body: bytes

    @property
    def retriable(self) -> bool:
        """Whether the same request may succeed later."""
        return may_succeed_later(self.status)

    @property
    def untaken(self) -> bool:
        """Whether it is certain that the server took nothing of it; after a 500, 502 or 504 it is not."""
        return self.status in UNTAKEN

    @property
    def ok(self) -> bool:
        """Whether it was accepted."""
        return self.status // 100 == 2  # noqa: PLR2004 - the class of a status

    def document(self) -> Any:
        """The JSON in it. Raises ValueError."""
        return json.loads(self.body)

    def problem(self) -> str:
        """The status, and the server's code and field where it gave them; neither holds text of users."""
        try:
            document = self.document()
            return f"{self.status} {document['code']}" + (f" ({document['field']})" if document.get("field") else "")
        except (ValueError, TypeError, LookupError, AttributeError):
            return str(self.status)


class Wire:
    """Requests to one sidecar, from one event loop."""

    def __init__(self, url: str, api_key: str | None, tls: ssl.SSLContext) -> None:
        """Opens no connection yet."""
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._transport = httpx.AsyncHTTPTransport(
            verify=tls,
            trust_env=False,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=KEEPALIVE_S),
        )

    @property
    def place(self) -> str:
        """Where it sends, without what a URL may hold of credentials."""
        url = httpx.URL(self._url)
        return f"{url.scheme}://{url.netloc.decode()}{url.path.rstrip('/')}"

    async def __aenter__(self) -> Self:
        """Gives itself."""
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Closes its connections."""
        await self._transport.aclose()

    async def get(self, path: str, timeout_s: float) -> Answer:
        """Asks. Raises WireError."""
        return await self._send(httpx.Request("GET", self._url + path, headers=self._headers), timeout_s)

    async def post(self, path: str, body: bytes, timeout_s: float, content_type: str = JSON) -> Answer:
        """Sends. Raises WireError."""
        headers = {**self._headers, "content-type": content_type}
        return await self._send(httpx.Request("POST", self._url + path, headers=headers, content=body), timeout_s)

    async def _send(self, request: httpx.Request, timeout_s: float) -> Answer:
        sent = False

        async def watch(event: str, _: object) -> None:
            nonlocal sent
            sent = sent or event.endswith(SENDING)  # after the protocol's name

        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
        request.extensions = {"timeout": timeouts, "trace": watch}
        try:
            async with asyncio.timeout(timeout_s):  # httpx bounds each step; a server that drips has many steps
                response = await self._transport.handle_async_request(request)
                try:
                    return Answer(
                        status=response.status_code,
                        retry_after_s=_seconds(response.headers.get("retry-after")),
                        body=await _read(response),
                    )
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise WireError(type(error).__name__, sent=sent) from error


async def _read(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise WireError("the answer is too large", sent=True)
        parts.append(part)
    return b"".join(parts)


def _seconds(header: str | None) -> float | None:
    try:
        return min(max(float(header or ""), 0.0), MAX_RETRY_AFTER_S)
    except ValueError:
        return None
