"""The part of the client that is about tenants: their limits, and invites into them."""

from msgspec import UNSET, UnsetType

from jobcast.client.account_models import Invite, Tenant
from jobcast.client.models import model, models
from jobcast.client.paths import segment
from jobcast.client.transport import Transport, given


class Tenants:
    """Tenants, for service keys and owners; `AsyncClient` is one of these."""

    _transport: Transport

    async def tenants_list(self) -> list[Tenant]:
        """All tenants in sight, by id: every one for a service key, their own for owners."""
        return models(Tenant, await self._transport.all_pages("/tenants"))

    async def tenants_get(self, id: str) -> Tenant:
        """One tenant."""
        return model(Tenant, (await self._transport.call("GET", f"/tenants/{segment(id)}")).data)

    async def tenants_create(
        self,
        id: str | None = None,
        *,
        name: str | None = None,
        weight: int | None = None,
        rate_limit: int | None = None,
        key_rate_limit: int | None = None,
        max_running: int | None = None,
        max_waiting: int | None = None,
    ) -> Tenant:
        """A new tenant; its id is made up where none is given.

        Raises Conflict where the id is taken, Forbidden for all but service keys.
        """
        body = given(
            id=id,
            name=name,
            weight=weight,
            rateLimit=rate_limit,
            keyRateLimit=key_rate_limit,
            maxRunning=max_running,
            maxWaiting=max_waiting,
        )
        return model(Tenant, (await self._transport.call("POST", "/tenants", json=body)).data)

    async def tenants_set(
        self,
        id: str,
        *,
        name: str | UnsetType | None = UNSET,
        weight: int | UnsetType = UNSET,
        rate_limit: int | UnsetType | None = UNSET,
        key_rate_limit: int | UnsetType | None = UNSET,
        max_running: int | UnsetType | None = UNSET,
        max_waiting: int | UnsetType | None = UNSET,
    ) -> Tenant:
        """Changes what is given; a limit of None is the usual one again, or no cap."""
        fields = {
            "name": name,
            "weight": weight,
            "rateLimit": rate_limit,
            "keyRateLimit": key_rate_limit,
            "maxRunning": max_running,
            "maxWaiting": max_waiting,
        }
        body = {field: value for field, value in fields.items() if value is not UNSET}
        answer = await self._transport.call("PATCH", f"/tenants/{segment(id)}", json=body)
        return model(Tenant, answer.data)

    async def tenants_invite(
        self, id: str, *, email: str | None = None, owner: bool = False
    ) -> Invite:
        """An invite into a tenant. Its `url` and `invite` are shown here and never again."""
        body = given(owner=owner, email=email)
        answer = await self._transport.call("POST", f"/tenants/{segment(id)}/invites", json=body)
        return model(Invite, answer.data)
