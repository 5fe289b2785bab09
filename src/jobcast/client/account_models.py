"""What the server answers about who calls: logins, API keys, tenants."""

from datetime import datetime

import msgspec

from jobcast.client.models import Model


class Identity(Model, frozen=True, kw_only=True, rename="camel"):
    """Whom the credentials stand for; the user is None for a key that is nobody's."""

    kind: str | None = None
    tenant_id: str | None = None
    id: str | None = None
    email: str | None = None
    name: str | None = None
    owner: bool = False
    scopes: list[str] = msgspec.field(default_factory=list)
    key_id: str | None = None
    created_at: datetime | None = None


class WatchToken(Model, frozen=True, kw_only=True, rename="camel"):
    """A token that reads one job, to be handed to a browser."""

    watch_token: str
    expires_at: datetime | None = None


class ApiKey(Model, frozen=True, kw_only=True, rename="camel"):
    """An API key; `key` itself is there only in the answer that creates it."""

    id: str
    name: str | None = None
    key: str | None = None
    hint: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    scopes: list[str] = msgspec.field(default_factory=list)
    rate_limit: int | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class Tenant(Model, frozen=True, kw_only=True, rename="camel"):
    """A tenant. A limit of None is the usual one, a `max_running` of None no cap."""

    id: str
    name: str | None = None
    weight: int = 1
    rate_limit: int | None = None
    key_rate_limit: int | None = None
    max_running: int | None = None
    max_waiting: int | None = None
    created_at: datetime | None = None


class Invite(Model, frozen=True, kw_only=True, rename="camel"):
    """A way into a tenant for one person; `invite` and `url` are there only when it is made."""

    id: str
    tenant_id: str | None = None
    email: str | None = None
    owner: bool = False
    invite: str | None = None
    url: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None


class Tokens(Model, frozen=True, kw_only=True, rename="camel"):
    """What a login gives."""

    access_token: str
    refresh_token: str
