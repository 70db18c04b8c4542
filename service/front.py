"""The front: what every request passes before and after its route, and the short way of submissions."""

import time

from fastapi import Request
from fastapi.routing import APIRoute, APIRouter
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.core.errors import AssayError, HostRefusedError
from service.routes.problem import on_disconnect, problem_response
from service.state import held_by


class Front:
    """Checks the Host header, times the request by its route's template, and calls the endpoints of `short` itself.

    A plain ASGI application: the framework's own middleware class starts a task for every request. The endpoints of
    `short` take the request and answer a response, so that nothing is left for the router, its exit stacks and its
    dependencies to do; they cost three times as much as the submission itself (docs/performance.md). The same routes
    are in the router too, for the document and for other methods.
    """

    def __init__(self, app: ASGIApp, short: APIRouter) -> None:
        """Wraps `app`; `short` holds routes without parameters in their paths."""
        self._app = app
        self._short = {
            (method, route.path): route
            for route in short.routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sidecar = held_by(scope["app"])
        started = time.perf_counter()
        status = 500  # unless an answer starts

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            headers = Headers(scope=scope)
            sidecar.access.check_host(headers.get("host"), headers.get("origin"))
            route = self._short.get((scope["method"], scope["path"]))
            if route is None:
                await self._app(scope, receive, observed_send)
            else:
                scope["route"] = route
                response = await _answer(route, Request(scope, receive))
                await response(scope, receive, observed_send)
        except HostRefusedError as error:
            await problem_response(error)(scope, receive, observed_send)
        finally:
            template = getattr(scope.get("route"), "path", "none")
            sidecar.metrics.requests.labels(template, str(status)).observe(time.perf_counter() - started)


async def _answer(route: APIRoute, request: Request) -> Response:
    try:
        answer: Response = await route.endpoint(request)
    except AssayError as error:
        return problem_response(error)
    except ClientDisconnect as error:
        return await on_disconnect(request, error)
    return answer
