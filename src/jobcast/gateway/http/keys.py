"""`/api/api-keys` and `/api/ws-tickets`: credentials that are made from other credentials."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from jobcast.domain.access import Scope
from jobcast.domain.errors import InvalidRequest
from jobcast.domain.times import iso, parse_iso
from jobcast.gateway.http.auth_shapes import In, Out
from jobcast.gateway.http.body import read
from jobcast.gateway.http.credentials import identified
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.operation import PAGE_PARAMETERS, Operation, route
from jobcast.gateway.http.paging import page_of
from jobcast.gateway.state import Gateway
from jobcast.services.job_input import Moment, Name
from jobcast.services.keys import Key, NewKey, scopes_of

TAG = "credentials"


class NewKeyBody(In, frozen=True, kw_only=True):
    """A key to make; `rate_limit` is in jobs a minute, `tenant_id` for service keys."""

    name: str | None = None
    scopes: Annotated[list[Scope], Meta(min_length=1)] | None = None
    expires_at: Moment | None = None
    rate_limit: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    tenant_id: Name | None = None


class NoBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object, or nothing at all."""


class ApiKey(Out, frozen=True, kw_only=True):
    """A key as lists show it: `hint` is its beginning, without its secret."""

    id: str
    tenant_id: str
    user_id: str | None
    name: str | None
    hint: str
    scopes: list[str]
    rate_limit: int | None
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class CreatedApiKey(ApiKey, frozen=True, kw_only=True):
    """A new key with its text, which is shown this once."""

    key: str


class Ticket(Out, frozen=True, kw_only=True):
    """A ticket that opens one socket, once."""

    ticket: str
    expires_at: str


class _Keys:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._accounts = gateway.accounts

    async def create_key(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        body = await read(request, NewKeyBody)
        key = await self._accounts.keys.create(
            principal,
            name=body.name,
            scopes=None if body.scopes is None else frozenset(body.scopes),
            expires_at=None if body.expires_at is None else _moment(body.expires_at),
            rate_limit=body.rate_limit,
            tenant_id=body.tenant_id,
        )
        return success("API key created successfully", _created(key), status=201)

    async def list_keys(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        page = page_of(request)
        keys, total = await self._accounts.keys.page(
            principal, limit=page.limit, offset=page.offset
        )
        shown = [_shown(key) for key in keys]
        return success("API keys retrieved successfully", shown, meta=page.meta(total))

    async def revoke_key(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        await self._accounts.keys.revoke(principal, key_id=request.path_params["id"])
        return success("API key revoked successfully")

    async def create_ticket(self, request: Request) -> Response:
        principal = await identified(self._gateway, request)
        await read(request, NoBody)
        ticket, expires_at = await self._accounts.credentials.ticket(principal)
        data = Ticket(ticket=ticket, expires_at=iso(expires_at))
        return success("Ticket created successfully", data, status=201)


def routes(gateway: Gateway) -> Sequence[BaseRoute]:
    """The routes of this resource."""
    keys = _Keys(gateway)
    return [
        route(
            "POST",
            "/api/api-keys",
            keys.create_key,
            Operation(
                summary="Make an API key",
                tag=TAG,
                text="It can do no more than the credentials that make it.",
                status=201,
                body=NewKeyBody,
                body_required=False,
                data=CreatedApiKey,
            ),
        ),
        route(
            "GET",
            "/api/api-keys",
            keys.list_keys,
            Operation(
                summary="The tenant's API keys, newest first",
                tag=TAG,
                data=ApiKey,
                listed=True,
                parameters=PAGE_PARAMETERS,
            ),
        ),
        route(
            "DELETE",
            "/api/api-keys/{id}",
            keys.revoke_key,
            Operation(summary="Revoke an API key", tag=TAG),
        ),
        route(
            "POST",
            "/api/ws-tickets",
            keys.create_ticket,
            Operation(
                summary="Make a ticket for one socket",
                tag=TAG,
                text="It works once, within 30 seconds.",
                status=201,
                body=NoBody,
                body_required=False,
                data=Ticket,
            ),
        ),
    ]


def _moment(text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError as problem:
        fields = {"expiresAt": [str(problem)]}
        raise InvalidRequest("Validation error", fields=fields) from None


def _shown(key: Key) -> ApiKey:
    return ApiKey(
        id=key.id,
        tenant_id=key.tenant_id,
        user_id=key.user_id,
        name=key.name,
        hint=key.hint,
        scopes=sorted(scopes_of(key)),
        rate_limit=key.rate_limit,
        created_at=iso(key.created_at),
        expires_at=_iso(key.expires_at),
        last_used_at=_iso(key.last_used_at),
    )


def _created(key: NewKey) -> CreatedApiKey:
    return CreatedApiKey(
        id=key.id,
        tenant_id=key.tenant_id,
        user_id=key.user_id,
        name=key.name,
        hint=key.hint,
        scopes=sorted(key.scopes),
        rate_limit=key.rate_limit,
        created_at=iso(key.created_at),
        expires_at=_iso(key.expires_at),
        last_used_at=None,
        key=key.text,
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
