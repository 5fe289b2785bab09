"""The quota of waiting jobs for each tenant: counted in the store now and then, added up between.

A count is used until a quarter of the room it found is taken, or for ten seconds. So near the limit
it is exact but for what other processes submit in the meantime, and far from it costs nothing.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Final

from jobcast.runtime.clock import Clock
from jobcast.services.refusals import Quota, too_many
from jobcast.store.base import Store
from jobcast.store.waiting import count_waiting

FRESH: Final = 10.0
"""Seconds that a count is used at most."""

SHARE: Final = 10
"""Counting takes a tenth of the time at most, however long one takes."""

TENANTS: Final = 10_000
RETRY_AFTER: Final = 5.0


@dataclass(slots=True)
class _Count:
    """What was found, what came since; used until `until`, counted again from `again` on."""

    found: int
    added: int
    until: float
    again: float


class Waiting:
    """Asked before a submission."""

    def __init__(self, store: Store, *, limit: int, clock: Clock) -> None:
        self._store = store
        self._limit = limit
        self._now = clock.monotonic
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._counting: dict[str, asyncio.Task[_Count]] = {}

    async def admit(self, tenant_id: str, *, count: int = 1) -> None:
        """Counts `count` more jobs that wait; raises QuotaExceeded when they would be too many."""
        known = self._counts.get(tenant_id)
        if known is None or self._stale(known, count):
            known = await self._count(tenant_id)
        if known.found + known.added + count > self._limit:
            raise too_many(
                Quota.WAITING,
                f"Too many waiting jobs: a tenant may have {self._limit}. "
                "Try again when some of them have run.",
                retry_after=RETRY_AFTER,
            )
        known.added += count

    def _stale(self, known: _Count, count: int) -> bool:
        now = self._now()
        room = max(0, self._limit - known.found)
        full = known.added + count > room // 4
        return now >= known.until or (full and now >= known.again)

    async def _count(self, tenant_id: str) -> _Count:
        """A fresh count; who asks while one is under way waits for the same."""
        task = self._counting.get(tenant_id)
        if task is None:
            task = asyncio.create_task(self._ask(tenant_id), name=f"count {tenant_id}")
            self._counting[tenant_id] = task
            task.add_done_callback(lambda _: self._counting.pop(tenant_id, None))
        return await asyncio.shield(task)

    async def _ask(self, tenant_id: str) -> _Count:
        began = self._now()
        most = self._limit + 1
        found = await self._store.read(partial(count_waiting, tenant_id=tenant_id, most=most))
        now = self._now()
        known = _Count(found, 0, until=now + FRESH, again=now + SHARE * (now - began))
        self._counts[tenant_id] = known
        self._counts.move_to_end(tenant_id)
        if len(self._counts) > TENANTS:
            self._counts.popitem(last=False)
        return known
