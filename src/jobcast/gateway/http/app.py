"""The HTTP application: routes of all resources, what stands around them, and their description."""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from jobcast.domain.errors import JobcastError
from jobcast.gateway.http import (
    auth,
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


class HttpApp(FastAPI):
    """FastAPI, with the plain routes in its OpenAPI document too."""

    _document: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """The document; made once, when everything is in place."""
        if self._document is None:
            self._document = openapi.merge(super().openapi(), self.router.routes)
        return self._document


def build_app(gateway: Gateway, *, resources: Sequence[Resource] = RESOURCES) -> HttpApp:
    """The application over these services; `compose` adds sockets and starts the loops."""
    app = HttpApp(
        title=gateway.settings.app_name,
        version=_version(),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    faults = Faults(gateway)
    app.add_exception_handler(JobcastError, faults.known)
    app.add_exception_handler(HTTPException, faults.http)
    app.add_exception_handler(RequestValidationError, faults.validation)
    for resource in resources:
        app.router.routes.extend(resource(gateway))
    app.router.routes.append(_docs(app))
    # The last one added stands outermost: answers of the frame get their CORS headers as well.
    app.add_middleware(Frame, gateway=gateway)
    _allow_origins(app, gateway)
    return app


def _version() -> str:
    try:
        return version("jobcast")
    except PackageNotFoundError:
        return "0.0.0"  # run from a source tree that was never installed


def _docs(app: HttpApp) -> BaseRoute:
    headers = {
        "Content-Security-Policy": docs.CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-cache",
    }

    async def page(request: Request) -> Response:
        return HTMLResponse(docs.render(app.openapi()), headers=headers)

    return PlainRoute("/docs", page, methods=["GET"], include_in_schema=False)


def _allow_origins(app: HttpApp, gateway: Gateway) -> None:
    origins = gateway.settings.allowed_origins
    loopback = not origins and gateway.settings.env != "production"
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_origin_regex=LOOPBACK_ORIGIN if loopback else None,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=list(_ASKED),
        expose_headers=list(_EXPOSED),
    )
