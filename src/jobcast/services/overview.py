"""What operators look at: queues, workers, numbers."""

from collections.abc import Sequence
from functools import partial

import msgspec

from jobcast.domain.access import Kind, Principal, Scope, require
from jobcast.domain.errors import InvalidRequest
from jobcast.runtime.clock import Clock
from jobcast.store import overview as sql
from jobcast.store.base import Store
from jobcast.store.overview import QueueDepth, Rollup, WorkerSession

MINUTE_MS = 60_000
MAX_MINUTES = 24 * 60
"""A day of minutes in one answer."""


class Stats(msgspec.Struct, frozen=True):
    """Sums over a span of minutes, and the minutes themselves, oldest first."""

    since: int
    submitted: int
    done: int
    failed: int
    cancelled: int
    retried: int
    run_ms: int
    minutes: Sequence[Rollup]


class Overview:
    """Use cases of operators. Everyone sees their own tenant's numbers, a service key all."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def queues(self, principal: Principal) -> list[QueueDepth]:
        """Every queue with live jobs, by name."""
        tenant_id = _tenant(principal)
        return await self._store.read(partial(sql.queue_depths, tenant_id=tenant_id))

    async def workers(self, principal: Principal) -> list[WorkerSession]:
        """Every worker with a lease; raises Forbidden for all but service keys and admins.

        Workers serve all tenants: what they run is counted as far as it is in sight.
        """
        require(principal, Scope.ADMIN)
        tenant_id = None if principal.kind is Kind.SERVICE else principal.tenant_id
        return await self._store.read(
            partial(sql.worker_sessions, tenant_id=tenant_id, now=self._clock.now())
        )

    async def stats(self, principal: Principal, *, minutes: int) -> Stats:
        """The last minutes (1 to a day's), from rollups."""
        if not 1 <= minutes <= MAX_MINUTES:
            sentence = f"Must be a whole number from 1 to {MAX_MINUTES}"
            raise InvalidRequest("Validation error", fields={"minutes": [sentence]})
        since = (self._clock.now() // MINUTE_MS - minutes + 1) * MINUTE_MS
        rows = await self._store.read(
            partial(sql.rollups_since, tenant_id=_tenant(principal), minute=since)
        )
        return Stats(
            since=since,
            submitted=sum(row.submitted for row in rows),
            done=sum(row.done for row in rows),
            failed=sum(row.failed for row in rows),
            cancelled=sum(row.cancelled for row in rows),
            retried=sum(row.retried for row in rows),
            run_ms=sum(row.run_ms for row in rows),
            minutes=rows,
        )


def _tenant(principal: Principal) -> str | None:
    require(principal, Scope.READ)
    return None if principal.kind is Kind.SERVICE else principal.tenant_id
