"""`/api/webhooks`: the endpoints and secrets of a tenant, and sending again what failed."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.errors import InvalidRequest
from jobcast.domain.times import iso, parse_iso
from jobcast.gateway.http.body import read
from jobcast.gateway.http.credentials import principal_of
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.operation import PAGE_PARAMETERS, Operation, Parameter, route
from jobcast.gateway.http.paging import page_of
from jobcast.gateway.state import Gateway
from jobcast.services.job_input import Moment
from jobcast.services.webhook_endpoints import Endpoint
from jobcast.services.webhook_secrets import OVERLAP, Secret

TAG: Final = "webhooks"
MAX_OVERLAP: Final = 7 * 24 * 3_600


class EndpointShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where webhooks go: scheme, host and port, and how it has fared.

    `failures` counts those since the last success. `disabled` is who did nothing but fail for days.
    """

    id: str
    tenant_id: str
    endpoint: str
    status: Literal["ok", "failing", "disabled"]
    failures: int
    failing_since: str | None
    disabled_at: str | None
    last_success_at: str | None
    last_failure_at: str | None
    last_error: str | None


class EndpointEnabled(Struct, frozen=True):
    """An endpoint that is called again."""

    id: str


class RedeliverSince(Struct, frozen=True, forbid_unknown_fields=True):
    """From when on: ISO 8601."""

    since: Moment


class Redelivered(Struct, frozen=True):
    """How many deliveries will be sent again."""

    count: int


class SecretShape(Struct, frozen=True, kw_only=True, rename="camel"):
    """A secret that signs; null stands for the server's own. The newest has no end."""

    id: str
    secret: str | None
    created_at: str
    expires_at: str | None


class RotateSecret(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """For how long the secret before goes on signing, in seconds."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=MAX_OVERLAP)] = OVERLAP


class _Webhooks:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._webhooks = gateway.webhooks

    async def endpoints(self, request: Request) -> Response:
        principal = await principal_of(self._gateway, request)
        page = page_of(request)
        found, total = await self._webhooks.endpoints.page(
            principal, tenant_id=_tenant(request), limit=page.limit, offset=page.offset
        )
        shown = [_endpoint(one) for one in found]
        return success("Webhook endpoints retrieved successfully", shown, meta=page.meta(total))

    async def enable(self, request: Request) -> Response:
        principal = await principal_of(self._gateway, request)
        endpoint_id = await self._webhooks.endpoints.enable(
            principal, request.path_params["id"], tenant_id=_tenant(request)
        )
        return success("Webhook endpoint enabled", EndpointEnabled(endpoint_id))

    async def redeliver(self, request: Request) -> Response:
        principal = await principal_of(self._gateway, request)
        body = await read(request, RedeliverSince)
        try:
            since = parse_iso(body.since)
        except ValueError as problem:
            raise InvalidRequest("Validation error", fields={"since": [str(problem)]}) from None
        count = await self._webhooks.endpoints.redeliver(
            principal, since=since, tenant_id=_tenant(request)
        )
        return success("Webhook redelivery scheduled", Redelivered(count), status=202)

    async def secrets(self, request: Request) -> Response:
        principal = await principal_of(self._gateway, request)
        found = await self._webhooks.secrets.live(principal, tenant_id=_tenant(request))
        return success("Webhook secrets retrieved successfully", [_secret(one) for one in found])

    async def rotate(self, request: Request) -> Response:
        principal = await principal_of(self._gateway, request)
        body = await read(request, RotateSecret)
        found = await self._webhooks.secrets.rotate(
            principal, tenant_id=_tenant(request), overlap=body.overlap_seconds
        )
        shown = [_secret(one) for one in found]
        return success("Webhook secret rotated", shown, status=201)


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    webhooks = _Webhooks(gateway)
    tenant = Parameter(
        name="tenantId", schema={"type": "string"}, text="Another tenant, for service keys."
    )
    return [
        route(
            "GET",
            "/api/webhooks/endpoints",
            webhooks.endpoints,
            Operation(
                summary="Where webhooks go, and how that fares",
                tag=TAG,
                data=EndpointShape,
                listed=True,
                parameters=[*PAGE_PARAMETERS, tenant],
            ),
        ),
        route(
            "POST",
            "/api/webhooks/endpoints/{id:path}/enable",
            webhooks.enable,
            Operation(
                summary="Call a disabled endpoint again",
                tag=TAG,
                text="`id` is its id, or any address on it, percent-encoded.",
                data=EndpointEnabled,
                parameters=[tenant],
            ),
        ),
        route(
            "POST",
            "/api/webhooks/redeliver",
            webhooks.redeliver,
            Operation(
                summary="Send again all that failed since a time",
                tag=TAG,
                text="What goes to a disabled endpoint stays: enable that first.",
                status=202,
                body=RedeliverSince,
                data=Redelivered,
                parameters=[tenant],
            ),
        ),
        route(
            "GET",
            "/api/webhooks/secrets",
            webhooks.secrets,
            Operation(
                summary="The secrets that sign, the newest first",
                tag=TAG,
                text="None: the server's own secret signs. Needs the scope admin.",
                data=list[SecretShape],
                parameters=[tenant],
            ),
        ),
        route(
            "POST",
            "/api/webhooks/secrets",
            webhooks.rotate,
            Operation(
                summary="Make a new secret",
                tag=TAG,
                text=(
                    "The one before signs beside it for a while: `webhook-signature` carries both, "
                    "`X-Jobcast-Signature` is made by the newest. Needs the scope admin."
                ),
                status=201,
                body=RotateSecret,
                body_required=False,
                data=list[SecretShape],
                parameters=[tenant],
            ),
        ),
    ]


def _tenant(request: Request) -> str | None:
    return request.query_params.get("tenantId")


def _endpoint(one: Endpoint) -> EndpointShape:
    failing: Literal["ok", "failing"] = "ok" if one.failing_since is None else "failing"
    return EndpointShape(
        id=one.id,
        tenant_id=one.tenant_id,
        endpoint=one.endpoint,
        status=failing if one.disabled_at is None else "disabled",
        failures=one.failures,
        failing_since=_iso(one.failing_since),
        disabled_at=_iso(one.disabled_at),
        last_success_at=_iso(one.last_success_at),
        last_failure_at=_iso(one.last_failure_at),
        last_error=one.last_error,
    )


def _secret(one: Secret) -> SecretShape:
    return SecretShape(
        id=one.id,
        secret=one.secret,
        created_at=iso(one.created_at),
        expires_at=_iso(one.expires_at),
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
