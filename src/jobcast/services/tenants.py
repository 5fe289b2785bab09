"""Tenants: what they are called, and how much they may have.

Service keys act for any tenant; owners (and keys with the scope `admin`) for their own. What is
another's looks exactly like what does not exist.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy import Connection

from jobcast.domain.access import Kind, Principal, Scope, require
from jobcast.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.services.actors import actor
from jobcast.services.job_input import Name
from jobcast.services.names import LABEL_SENTENCE, is_id, is_label
from jobcast.settings import Settings
from jobcast.store import accounts
from jobcast.store import tenants as sql
from jobcast.store.base import Store
from jobcast.store.tenants import Tenant

UNKNOWN: Final = "Tenant not found"
MAX_WEIGHT: Final = 1_000

Limit = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Weight = Annotated[int, Meta(ge=1, le=MAX_WEIGHT)]


class TenantChange(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to change; what is left out stays. A limit of null is the usual one of the settings.

    `rate_limit` is in jobs a minute for each user, `key_rate_limit` for each key, `weight` how many
    jobs it gets in each round of the queue, `max_running` how many at a time over all workers (null
    for any number), `max_waiting` how many may wait.
    """

    name: str | UnsetType | None = UNSET
    weight: Weight | UnsetType = UNSET
    rate_limit: Limit | UnsetType | None = UNSET
    key_rate_limit: Limit | UnsetType | None = UNSET
    max_running: Limit | UnsetType | None = UNSET
    max_waiting: Limit | UnsetType | None = UNSET


class NewTenant(TenantChange, frozen=True, kw_only=True):
    """A tenant to make; its id is made up where none is chosen."""

    id: Name | UnsetType = UNSET


class Tenants:
    """The use cases of tenants."""

    def __init__(self, store: Store, *, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._usual: Mapping[str, float] = {
            "weight": 1,
            "rate_limit": settings.rate_limit,
            "key_rate_limit": settings.key_rate_limit,
            "max_running": float("inf"),
            "max_waiting": settings.max_waiting,
        }

    async def page(
        self, principal: Principal, *, limit: int, offset: int
    ) -> tuple[Sequence[Tenant], int]:
        """A page of the tenants in sight by id, and how many there are."""
        require(principal, Scope.ADMIN)
        tenant_id = None if principal.kind is Kind.SERVICE else principal.tenant_id
        return await self._store.read(
            partial(sql.page, tenant_id=tenant_id, limit=limit, offset=offset)
        )

    async def get(self, principal: Principal, tenant_id: str) -> Tenant:
        """A tenant in sight; raises NotFound."""
        check_own(principal, tenant_id)
        found = await self._store.read(partial(sql.tenant_by_id, tenant_id=tenant_id))
        if found is None:
            raise NotFound(UNKNOWN)
        return found

    async def create(self, principal: Principal, body: NewTenant) -> Tenant:
        """Makes a tenant, for service keys; raises Conflict where the id is taken."""
        require(principal, Scope.ADMIN)
        if principal.kind is not Kind.SERVICE:
            raise Forbidden("Only a service key may make tenants.")
        values = _values(body)
        tenant_id = new_id() if body.id is UNSET else body.id
        now = self._clock.now()

        def change(conn: Connection) -> Tenant | None:
            if not accounts.add_tenant(conn, tenant_id=tenant_id, name=None, now=now):
                return None
            return sql.change(conn, tenant_id=tenant_id, **values)

        made = await self._store.write(change)
        if made is None:
            raise Conflict(f"A tenant {tenant_id} exists already.")
        audit.note("tenant made", **actor(principal), tenant=tenant_id)
        return made

    async def change(self, principal: Principal, tenant_id: str, body: TenantChange) -> Tenant:
        """Changes a tenant; an owner may raise no limit above what the tenant has.

        Raises NotFound, Forbidden, and InvalidRequest that names the fields at fault.
        """
        check_own(principal, tenant_id)
        values = _values(body)

        def change(conn: Connection) -> Tenant | None:
            was = sql.tenant_by_id(conn, tenant_id=tenant_id, lock=True)
            if was is None:
                return None
            if principal.kind is not Kind.SERVICE:
                self._check_raises(was, values)
            return sql.change(conn, tenant_id=tenant_id, **values)

        after = await self._store.write(change)
        if after is None:
            raise NotFound(UNKNOWN)
        audit.note("tenant changed", **actor(principal), tenant=tenant_id, changed=sorted(values))
        return after

    def _check_raises(self, was: Tenant, values: Mapping[str, Any]) -> None:
        for name, usual in self._usual.items():
            if name not in values:
                continue
            had, wanted = getattr(was, name), values[name]
            most = usual if had is None else had if usual == float("inf") else max(usual, had)
            if (usual if wanted is None else wanted) > most:
                raise Forbidden(f"Only a service key may raise {_camel(name)} above {most:.0f}.")


def check_own(principal: Principal, tenant_id: str) -> None:
    """Raises NotFound unless the principal may administer this tenant, if it exists."""
    require(principal, Scope.ADMIN)
    mine = principal.kind is Kind.SERVICE or tenant_id == principal.tenant_id
    if not mine or not is_id(tenant_id):
        raise NotFound(UNKNOWN)


def _values(body: TenantChange) -> dict[str, Any]:
    values = {
        name: getattr(body, name)
        for name in TenantChange.__struct_fields__
        if getattr(body, name) is not UNSET
    }
    if values.get("name") is not None and not is_label(values["name"]):
        raise InvalidRequest("Validation error", fields={"name": [LABEL_SENTENCE]})
    return values


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
