"""`/api/tenants`: tenants and their limits, for service keys and owners."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.times import iso
from jobcast.gateway.http.auth_shapes import Out
from jobcast.gateway.http.body import read
from jobcast.gateway.http.credentials import identified
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.links import location
from jobcast.gateway.http.operation import PAGE_PARAMETERS, Operation, route
from jobcast.gateway.http.paging import page_of
from jobcast.gateway.state import Gateway
from jobcast.services.tenants import NewTenant, TenantChange
from jobcast.store.tenants import Tenant

TAG = "tenants"


class TenantShape(Out, frozen=True, kw_only=True):
    """A tenant. A limit of null is the usual one, a `maxRunning` of null no cap.

    `rateLimit` is in jobs a minute for each user, `keyRateLimit` for each key.
    """

    id: str
    name: str | None
    weight: int
    rate_limit: int | None
    key_rate_limit: int | None
    max_running: int | None
    max_waiting: int | None
    created_at: str


class _Tenants:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tenants = gateway.accounts.tenants

    async def list_tenants(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        page = page_of(request)
        tenants, total = await self._tenants.page(principal, limit=page.limit, offset=page.offset)
        shown = [_shape(tenant) for tenant in tenants]
        return success("Tenants retrieved successfully", shown, meta=page.meta(total))

    async def show_tenant(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        tenant = await self._tenants.get(principal, request.path_params["id"])
        return success("Tenant retrieved successfully", _shape(tenant))

    async def create_tenant(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        tenant = await self._tenants.create(principal, await read(request, NewTenant))
        headers = {"Location": location(self._gateway, request, f"/api/tenants/{tenant.id}")}
        data = _shape(tenant)
        return success("Tenant created successfully", data, status=201, headers=headers)

    async def change_tenant(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        body = await read(request, TenantChange)
        tenant = await self._tenants.change(principal, request.path_params["id"], body)
        return success("Tenant updated successfully", _shape(tenant))


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    tenants = _Tenants(gateway)
    return [
        route(
            "GET",
            "/api/tenants",
            tenants.list_tenants,
            Operation(
                summary="Tenants, by id",
                tag=TAG,
                text="All of them for a service key, their own for owners.",
                data=TenantShape,
                listed=True,
                parameters=PAGE_PARAMETERS,
            ),
        ),
        route(
            "POST",
            "/api/tenants",
            tenants.create_tenant,
            Operation(
                summary="Make a tenant",
                tag=TAG,
                text="For service keys, whose first submission makes an unknown one too.",
                status=201,
                body=NewTenant,
                body_required=False,
                data=TenantShape,
                errors=(409,),
            ),
        ),
        route(
            "GET",
            "/api/tenants/{id}",
            tenants.show_tenant,
            Operation(summary="A tenant", tag=TAG, data=TenantShape),
        ),
        route(
            "PATCH",
            "/api/tenants/{id}",
            tenants.change_tenant,
            Operation(
                summary="Change a tenant's name, limits, weight and caps",
                tag=TAG,
                text="Owners raise no limit above what their tenant has; service keys do.",
                body=TenantChange,
                data=TenantShape,
            ),
        ),
    ]


def _shape(tenant: Tenant) -> TenantShape:
    return TenantShape(
        id=tenant.id,
        name=tenant.name,
        weight=tenant.weight,
        rate_limit=tenant.rate_limit,
        key_rate_limit=tenant.key_rate_limit,
        max_running=tenant.max_running,
        max_waiting=tenant.max_waiting,
        created_at=iso(tenant.created_at),
    )
