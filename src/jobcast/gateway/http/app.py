"""The HTTP application: routes of all resources, what stands around them, and their description."""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from jobcast.gateway.http import (
    auth,
    bulk,
    channels,
    docs,
    job_parts,
    jobs,
    jobs_changing,
    keys,
    members,
    openapi,
    overview,
    schedules,
    socket_docs,
    sse,
    system,
    tenants,
    webhook_endpoints,
    webhooks,
)
from jobcast.gateway.http.envelope import answer, encode
from jobcast.gateway.http.faults import Faults
from jobcast.gateway.http.frame import Frame
from jobcast.gateway.http.operation import PlainRoute
from jobcast.gateway.state import Gateway

Resource = Callable[[Gateway], Sequence[BaseRoute]]
"""Makes the routes of one resource."""

RESOURCES: Final[Sequence[Resource]] = (
    # A request walks this list: the busiest come first.
    jobs.routes,
    jobs_changing.routes,
    bulk.routes,
    job_parts.routes,
    sse.routes,
    webhooks.routes,
    channels.routes,
    webhook_endpoints.routes,
    overview.routes,
    schedules.routes,
    auth.routes,
    keys.routes,
    socket_docs.routes,
    tenants.routes,
    members.routes,
    system.routes,
)

LOOPBACK_ORIGIN: Final = (
    r"https?://(?:localhost|[\w-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?"
)
"""In development any page of this machine may call."""

_ASKED: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "X-API-Key",
    "X-Request-Id",
)
_EXPOSED: Final = (
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
)


class HttpApp:
    """The routes with what stands around them, as one ASGI app."""

    def __init__(self, gateway: Gateway, routes: Sequence[BaseRoute]) -> None:
        self.router: Final = Router([*routes, *_docs(self)], redirect_slashes=False)
        self._title = gateway.settings.app_name
        self._document: dict[str, Any] | None = None
        framed = Frame(self.router, gateway, Faults(gateway))
        # It stands outermost: answers of the frame get their CORS headers as well.
        self._app = _allow_origins(framed, gateway)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._app(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document; made once, when everything is in place."""
        if self._document is None:
            self._document = openapi.describe(
                self.router.routes, title=self._title, version=_version()
            )
        return self._document


def build_app(gateway: Gateway, *, resources: Sequence[Resource] = RESOURCES) -> HttpApp:
    """The application over these services; `compose` adds sockets and starts the loops."""
    return HttpApp(gateway, [route for resource in resources for route in resource(gateway)])


def _version() -> str:
    try:
        return version("jobcast")
    except PackageNotFoundError:
        return "0.0.0"  # run from a source tree that was never installed


def _docs(app: HttpApp) -> list[BaseRoute]:
    headers = {
        "Content-Security-Policy": docs.CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-cache",
    }

    async def machine(request: Request) -> Response:
        return answer(encode(app.openapi()))

    async def page(request: Request) -> Response:
        return HTMLResponse(docs.render(app.openapi()), headers=headers)

    return [
        PlainRoute("/openapi.json", machine, methods=["GET"], include_in_schema=False),
        PlainRoute("/docs", page, methods=["GET"], include_in_schema=False),
    ]


def _allow_origins(app: ASGIApp, gateway: Gateway) -> ASGIApp:
    origins = gateway.settings.allowed_origins
    loopback = not origins and gateway.settings.env != "production"
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_origin_regex=LOOPBACK_ORIGIN if loopback else None,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=list(_ASKED),
        expose_headers=list(_EXPOSED),
    )
