"""What stands outside `/api`: health, metrics and the pages."""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast import dashboard
from jobcast.domain.access import Scope
from jobcast.domain.times import iso
from jobcast.gateway.http import envelope
from jobcast.gateway.http.credentials import allowed
from jobcast.gateway.http.operation import Endpoint, Operation, PlainRoute, route
from jobcast.gateway.metrics import CONTENT_TYPE
from jobcast.gateway.readiness import Phase
from jobcast.gateway.state import Gateway

TAG: Final = "system"


class Health(Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"]
    timestamp: str


class Readyz(Struct, frozen=True):
    """Whether it takes work, and if not, why; `degraded` says what is away while it does."""

    status: Phase
    reason: str | None
    degraded: list[str]


class _System:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def health(self, request: Request) -> Response:
        return _bare(Health("ok", iso(self._gateway.clock.now())))

    async def livez(self, request: Request) -> Response:
        return await self.health(request)

    async def readyz(self, request: Request) -> Response:
        readiness = self._gateway.readiness
        status = 200 if readiness.phase is Phase.READY else 503
        document = Readyz(readiness.phase, readiness.reason, sorted(readiness.degraded))
        return _bare(document, status=status)

    async def metrics(self, request: Request) -> Response:
        if self._gateway.settings.env == "production":
            await allowed(self._gateway, request, Scope.SERVICE)
        text = await self._gateway.metrics.scrape()
        return Response(text, headers={"Content-Type": CONTENT_TYPE})


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    system = _System(gateway)
    return [
        _bare_route("/health", system.health, "Whether the process answers", data=Health),
        _bare_route("/livez", system.livez, "The same, as orchestrators ask it", data=Health),
        _bare_route("/readyz", system.readyz, "Whether it takes work", data=Readyz, errors=(503,)),
        route(
            "GET",
            "/metrics",
            system.metrics,
            Operation(
                summary="Metrics for Prometheus",
                tag=TAG,
                text="In production for service keys only.",
                data={"type": "string"},
                bare=True,
                media_type="text/plain",
                credentials="any" if gateway.settings.env == "production" else "none",
            ),
        ),
        *(_page(path, file) for path, file in dashboard.FILES.items()),
    ]


def _bare_route(
    path: str, endpoint: Endpoint, summary: str, *, data: type, errors: Sequence[int] = ()
) -> BaseRoute:
    operation = Operation(
        summary=summary, tag=TAG, data=data, bare=True, credentials="none", errors=errors
    )
    return route("GET", path, endpoint, operation)


def _page(path: str, file: dashboard.File) -> BaseRoute:
    headers = {
        "Content-Type": file.content_type,
        "Content-Security-Policy": dashboard.CONTENT_SECURITY_POLICY,
        # Asked for anew each time, so that no page runs scripts of two releases.
        "Cache-Control": "no-cache",
        "ETag": file.etag,
    }

    async def page(request: Request) -> Response:
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers)

    return PlainRoute(path, page, methods=["GET"], include_in_schema=False)


def _bare(document: Struct, *, status: int = 200) -> Response:
    return envelope.answer(envelope.encode(document), status=status)
