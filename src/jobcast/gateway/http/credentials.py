"""From a request to a principal."""

from starlette.requests import Request

from jobcast.domain.access import Kind, Principal, Scope, require
from jobcast.domain.errors import Unauthorized
from jobcast.gateway.state import Gateway

MISSING = "Access token required"


async def principal_of(
    gateway: Gateway, request: Request, *, query: bool = False, counted: bool = True
) -> Principal:
    """Whom the request's credentials stand for; raises Unauthorized, and RateLimited.

    `Authorization` wins over `X-API-Key`, and both over `?token=`, which is read where `query`
    says so and takes watch tokens only: addresses end up in logs. Every request is counted, those
    without good credentials for their address; `counted` False is for what has a limit of its own.
    """
    try:
        principal = await _recognised(gateway, request, query=query)
    except Unauthorized:
        await count_stranger(gateway, request)
        raise
    if counted:
        await gateway.limiter.requests(principal)
    return principal


async def _recognised(gateway: Gateway, request: Request, *, query: bool) -> Principal:
    headers = request.headers
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized(MISSING)
        return await gateway.accounts.authenticate(bearer=token.strip())
    key = headers.get("x-api-key")
    if key is not None:
        return await gateway.accounts.authenticate(key=key.strip())
    token = request.query_params.get("token", "") if query else ""
    if not token:
        raise Unauthorized(MISSING)
    principal = await gateway.accounts.authenticate(bearer=token)
    if principal.kind is not Kind.WATCH:
        raise Unauthorized("Only a watch token may stand in the address")
    return principal


async def allowed(
    gateway: Gateway, request: Request, scope: Scope, *, counted: bool = True
) -> Principal:
    """Whom the request's credentials stand for, if they have this scope.

    Raises Unauthorized, also for a watch token, Forbidden and RateLimited.
    """
    return require(await principal_of(gateway, request, counted=counted), scope)


async def identified(gateway: Gateway, request: Request) -> Principal:
    """Whom the request's credentials stand for, whatever their scopes, but no watch token."""
    principal = await principal_of(gateway, request)
    if principal.kind is Kind.WATCH:
        raise Unauthorized(MISSING)
    return principal


async def count_stranger(gateway: Gateway, request: Request) -> None:
    """Counts a request that nobody answers for; raises RateLimited."""
    await gateway.limiter.stranger(address=address_of(request))


def address_of(request: Request) -> str:
    """The network address of the client, as the server saw it (or the proxies it trusts)."""
    return request.client.host if request.client is not None else "unknown"
