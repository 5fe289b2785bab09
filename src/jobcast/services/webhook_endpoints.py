"""What users do with the endpoints their webhooks go to: see how they fare, and have them back."""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from jobcast.domain.access import Principal, Scope, require, tenant_for
from jobcast.domain.errors import NotFound
from jobcast.domain.webhook import endpoint_of
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.services.actors import actor
from jobcast.store import deliveries
from jobcast.store import endpoints as sql
from jobcast.store.base import Store
from jobcast.store.endpoints import Endpoint

__all__ = ["Endpoint", "WebhookEndpoints"]

CHUNK: Final = 500
"""Deliveries that are put back in one transaction."""


class WebhookEndpoints:
    """The use cases. `notify` hints to the deliverer that something is due."""

    def __init__(self, store: Store, *, clock: Clock, notify: Callable[[], object]) -> None:
        self._store = store
        self._clock = clock
        self._notify = notify

    async def page(
        self, principal: Principal | None, *, tenant_id: str | None, limit: int, offset: int
    ) -> tuple[Sequence[Endpoint], int]:
        """A tenant's endpoints by name, and how many there are; Unauthorized and Forbidden."""
        tenant = tenant_for(require(principal, Scope.READ), tenant_id)
        return await self._store.read(
            lambda conn: sql.page(conn, tenant_id=tenant, limit=limit, offset=offset)
        )

    async def enable(
        self, principal: Principal | None, wanted: str, *, tenant_id: str | None = None
    ) -> str:
        """Has an endpoint called again, found by its id or by any address on it; its id.

        What failed meanwhile is not sent by that: see `redeliver`. Raises Unauthorized, Forbidden
        and NotFound.
        """
        by = require(principal, Scope.WRITE)
        tenant, now = tenant_for(by, tenant_id), self._clock.now()
        endpoint_id = await self._store.write(
            lambda conn: sql.enable(
                conn, tenant_id=tenant, wanted=wanted, endpoint=endpoint_of(wanted), now=now
            )
        )
        if endpoint_id is None:
            raise NotFound("Webhook endpoint not found")
        audit.note("webhook endpoint enabled", **actor(by), tenant=tenant, endpoint=endpoint_id)
        return endpoint_id

    async def redeliver(
        self, principal: Principal | None, *, since: int, tenant_id: str | None = None
    ) -> int:
        """Has all deliveries that failed be sent again whose job ended at `since` or later.

        Those to endpoints that are disabled stay. How many it is. Raises Unauthorized, Forbidden.
        """
        tenant = tenant_for(require(principal, Scope.WRITE), tenant_id)
        now, count, more = self._clock.now(), 0, True

        def change(conn: Connection) -> int:
            return deliveries.redeliver_failed(
                conn, tenant_id=tenant, since=since, until=now, now=now, limit=CHUNK
            )

        while more:
            found = await self._store.write(change)
            count += found
            more = found == CHUNK
            self._notify()
        return count
