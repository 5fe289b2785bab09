"""The part of the client that is about tenants: their limits, and invites into them."""

from typing import Any

from jobcast.client.accounts import PAGE
from jobcast.client.models import Invite, Tenant, model, models
from jobcast.client.paths import segment
from jobcast.client.transport import Transport


class Tenants:
    """Tenants, for service keys and owners; `AsyncClient` is one of these."""

    _transport: Transport

    async def tenants_list(self) -> list[Tenant]:
        """All tenants in sight, by id: every one for a service key, their own for owners."""
        found: list[Tenant] = []
        page = 1
        while True:
            answer = await self._transport.call(
                "GET", "/tenants", params={"page": page, "limit": PAGE}
            )
            found += models(Tenant, answer.data)
            if not answer.meta.get("hasNextPage"):
                return found
            page += 1

    async def tenants_create(self, id: str | None = None, **limits: Any) -> Tenant:
        """A new tenant; `limits` as in the API, like `weight=2` or `maxRunning=10`.

        Raises Conflict where the id is taken, Forbidden for all but service keys.
        """
        body = limits if id is None else {"id": id, **limits}
        return model(Tenant, (await self._transport.call("POST", "/tenants", json=body)).data)

    async def tenants_set(self, id: str, **limits: Any) -> Tenant:
        """Changes a tenant: `name`, `weight` and limits; None is the usual limit, or no cap."""
        answer = await self._transport.call("PATCH", f"/tenants/{segment(id)}", json=limits)
        return model(Tenant, answer.data)

    async def tenants_invite(
        self, id: str, *, email: str | None = None, owner: bool = False
    ) -> Invite:
        """An invite into a tenant. Its `url` and `invite` are shown here and never again."""
        body: dict[str, Any] = {"owner": owner}
        if email is not None:
            body["email"] = email
        answer = await self._transport.call("POST", f"/tenants/{segment(id)}/invites", json=body)
        return model(Invite, answer.data)
