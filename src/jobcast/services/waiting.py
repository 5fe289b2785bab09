"""The quota of waiting jobs for each tenant: counted in the store now and then, added up between.

A count is used until a quarter of the room it found is taken, or for ten seconds; near the limit
whoever comes next waits for another. So up to four processes together admit no more than there is
room for, but for the last places, which each of them may give away once; and far from the limit it
costs nothing. What is on its way to the database counts as being there.
"""

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Final

from jobcast.domain.errors import QuotaExceeded
from jobcast.runtime.clock import Clock
from jobcast.services.refusals import Quota, too_many
from jobcast.store.base import Store
from jobcast.store.waiting import room_of

FRESH: Final = 10.0
"""Seconds that a count is used at most."""

SHARE: Final = 10
"""Counting takes a tenth of the time at most, however long one takes."""

ROUNDS: Final = 100
"""Counts that one who asks waits for near the limit, at most."""

TENANTS: Final = 10_000
RETRY_AFTER: Final = 5.0


@dataclass(slots=True)
class _Count:
    """What was found, and what came since; used until `until`, counted again from `again` on.

    `given` were admitted on the strength of it, of the `room` that it found.
    """

    limit: int
    found: int
    added: int
    until: float
    again: float
    given: int = 0

    @property
    def room(self) -> int:
        return self.limit - self.found - self.added

    def good_for(self, count: int) -> bool:
        """Whether so many more may go by it: others go by counts of their own at this moment."""
        return self.given == 0 or 4 * (self.given + count) <= self.room + self.given


class Waiting:
    """Asked before a submission, and told after it. `limit` is for tenants without their own."""

    def __init__(self, store: Store, *, limit: int, clock: Clock) -> None:
        self._store = store
        self._limit = limit
        self._now = clock.monotonic
        self._under_way: Counter[str] = Counter()
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._counting: dict[str, asyncio.Task[_Count]] = {}

    async def admit(self, tenant_id: str, *, count: int = 1) -> None:
        """Counts `count` more jobs that wait; raises QuotaExceeded when they would be too many.

        Near the limit it waits for a fresh count. Whoever is admitted says by `settled` what came
        of it, in any case.
        """
        known, fresh = self._counts.get(tenant_id), False
        for _ in range(ROUNDS):
            if known is None or self._now() >= known.until:
                known, fresh = await self._count(tenant_id), True
            if known.room < count:
                if fresh or self._now() < known.again:
                    raise _too_many(known.limit)
            elif known.good_for(count):
                break
            else:
                await asyncio.sleep(max(0.0, known.again - self._now()))
            latest = self._counts.get(tenant_id)
            if latest is known:
                known, fresh = await self._count(tenant_id), True
            else:
                known, fresh = latest, False
        else:
            assert known is not None
            raise _too_many(known.limit)
        known.given += count
        known.added += count
        self._under_way[tenant_id] += count

    def settled(self, tenant_id: str, *, count: int = 1, made: int) -> None:
        """Of `count` that were admitted, `made` jobs wait now: the others were there, or failed."""
        self._under_way[tenant_id] -= count
        if not self._under_way[tenant_id]:
            del self._under_way[tenant_id]
        known = self._counts.get(tenant_id)
        if known is not None:
            known.added = max(0, known.added - (count - made))

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
        under_way = self._under_way[tenant_id]
        found, limit = await self._store.read(
            partial(room_of, tenant_id=tenant_id, usual=self._limit)
        )
        now = self._now()
        again = now + SHARE * (now - began)
        known = _Count(limit, found, under_way, until=now + FRESH, again=again)
        self._counts[tenant_id] = known
        self._counts.move_to_end(tenant_id)
        if len(self._counts) > TENANTS:
            self._counts.popitem(last=False)
        return known


def _too_many(limit: int) -> QuotaExceeded:
    return too_many(
        Quota.WAITING,
        f"Too many waiting jobs: a tenant may have {limit}. Try again when some of them have run.",
        retry_after=RETRY_AFTER,
    )
