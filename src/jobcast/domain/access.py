"""Who may do what.

A `Principal` is what credentials amount to. Every use case asks here, so that the rules stand in
one place: what belongs to another tenant looks exactly like what does not exist.
"""

from enum import StrEnum
from typing import assert_never

import msgspec

from jobcast.domain.errors import Forbidden, NotFound, Unauthorized


class Kind(StrEnum):
    """What sort of credentials a principal came with."""

    USER = "user"
    KEY = "key"
    SERVICE = "service"
    WATCH = "watch"
    GUEST = "guest"


class Scope(StrEnum):
    """What an API key may be limited to."""

    READ = "jobs:read"
    WRITE = "jobs:write"
    CHANNELS = "channels"
    ADMIN = "admin"
    SERVICE = "service"


PUBLIC_CHANNELS = "public:"
"""What the names of channels begin with that also take guests."""

GUESTS_ONLY_THERE = "Guests may take part in public: channels, and in nothing else."

ORDINARY_SCOPES = frozenset({Scope.READ, Scope.WRITE, Scope.CHANNELS})
ALL_SCOPES = ORDINARY_SCOPES | {Scope.ADMIN}


def scopes_of_user(owner: bool) -> frozenset[Scope]:
    """What a user may do: owners administer their tenant."""
    return ALL_SCOPES if owner else ORDINARY_SCOPES


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Someone whose credentials were found good.

    `name` is what others see in channels. `login_id` is the refresh family of a user's token,
    `key_id` the API key. A watch token (`kind` WATCH) reaches `job_id` alone, a guest (GUEST)
    public channels alone. `expires_at` is in milliseconds, None where the credentials do not end
    by themselves.
    """

    kind: Kind
    tenant_id: str
    user_id: str | None = None
    name: str | None = None
    owner: bool = False
    scopes: frozenset[Scope] = ALL_SCOPES
    key_id: str | None = None
    rate_limit: int | None = None
    login_id: str | None = None
    job_id: str | None = None
    expires_at: int | None = None


def require(principal: Principal | None, scope: Scope) -> Principal:
    """The principal, when it has `scope`; raises Unauthorized or Forbidden.

    A service key has every scope. A watch token has none, and looks like no credentials at all.
    """
    if principal is None or principal.kind is Kind.WATCH:
        raise Unauthorized("Access token required")
    if principal.kind is Kind.GUEST:
        raise Forbidden(GUESTS_ONLY_THERE)
    if principal.kind is not Kind.SERVICE and scope not in principal.scopes:
        if principal.kind is Kind.USER:
            raise Forbidden("Only an owner of the tenant may do this.")
        raise Forbidden(f"This API key lacks the scope {scope}.")
    return principal


def tenant_for(principal: Principal, asked: str | None) -> str:
    """The tenant to act in: a service key may name any, everyone else only their own."""
    if asked is None or asked == principal.tenant_id:
        return principal.tenant_id
    if principal.kind is Kind.SERVICE:
        return asked
    raise Forbidden("Only service keys may act for another tenant.")


def channel_tenant(principal: Principal, channel: str, asked: str | None) -> str:
    """The tenant in which the principal takes part in a channel; raises where they may not.

    A guest belongs to no tenant, and may name the one whose public channel it is.
    """
    if principal.kind is Kind.GUEST:
        if not channel.startswith(PUBLIC_CHANNELS):
            raise Forbidden(GUESTS_ONLY_THERE)
        return asked or principal.tenant_id
    return tenant_for(require(principal, Scope.CHANNELS), asked)


def may_see(principal: Principal, *, tenant_id: str, job_id: str) -> bool:
    """Whether this job is within the principal's sight."""
    match principal.kind:
        case Kind.SERVICE:
            return True
        case Kind.WATCH:
            return principal.job_id == job_id
        case Kind.USER | Kind.KEY:
            return principal.tenant_id == tenant_id
        case Kind.GUEST:
            return False
        case _:
            assert_never(principal.kind)


def check_sight(principal: Principal, *, tenant_id: str | None, job_id: str) -> None:
    """Raises NotFound unless the job exists (`tenant_id` is not None) and may be seen."""
    if tenant_id is None or not may_see(principal, tenant_id=tenant_id, job_id=job_id):
        raise NotFound("Job not found")
