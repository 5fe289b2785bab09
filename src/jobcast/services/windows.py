"""Two windows of a minute, on a storage of the `limits` library: exact, and cheap.

Both take all of a count or none of it, and say when there will be room for more.
"""

import math
from collections.abc import Awaitable
from typing import Final, Protocol

from limits.aio.storage import MovingWindowSupport, SlidingWindowCounterSupport, Storage

from jobcast.runtime.clock import Clock

SECONDS: Final = 60
"""The window of submissions, by the contract."""


class Window(Protocol):
    """How often something happened in the last minute, for each of many."""

    def take(self, who: str, *, limit: int, count: int) -> Awaitable[bool]:
        """Counts `count` if that stays within the limit; else counts nothing: False."""

    async def state(self, who: str, *, limit: int) -> tuple[int, int]:
        """How many more are allowed now, and in how many seconds more will be."""

    async def wait(self, who: str, *, limit: int, count: int) -> int:
        """In how many whole seconds there will be room for `count` (at most `limit`)."""


class MovingWindow:
    """Remembers each time: never more than the limit in any 60 s."""

    def __init__(self, storage: Storage, *, clock: Clock) -> None:
        assert isinstance(storage, MovingWindowSupport)
        self._storage = storage
        self._clock = clock

    def take(self, who: str, *, limit: int, count: int) -> Awaitable[bool]:
        return self._storage.acquire_entry(who, limit, SECONDS, count)

    async def state(self, who: str, *, limit: int) -> tuple[int, int]:
        oldest, used = await self._storage.get_moving_window(who, limit, SECONDS)
        if used == 0:
            return limit, 0
        left = oldest + SECONDS - self._clock.now() / 1000
        return max(0, limit - used), _whole(min(SECONDS, left))  # clocks differ by a millisecond

    async def wait(self, who: str, *, limit: int, count: int) -> int:
        # What lies in the last `young` seconds is what is still counted in 60 - young seconds.
        young, old = 0, SECONDS
        while young < old:
            middle = (young + old + 1) // 2
            _, used = await self._storage.get_moving_window(who, limit, middle)
            if used + count <= limit:
                young = middle
            else:
                old = middle - 1
        return max(1, SECONDS - young)


class SlidingCounter:
    """Two counters, the older one weighted by how much of it is within the last 60 s."""

    def __init__(self, storage: Storage) -> None:
        assert isinstance(storage, SlidingWindowCounterSupport)
        self._storage = storage

    def take(self, who: str, *, limit: int, count: int) -> Awaitable[bool]:
        return self._storage.acquire_sliding_window_entry(who, limit, SECONDS, count)

    async def state(self, who: str, *, limit: int) -> tuple[int, int]:
        before, now, left = await self._counters(who)
        if before == 0 and now == 0:
            return limit, 0
        return max(0, limit - math.floor(before * left / SECONDS + now)), _whole(left)

    async def wait(self, who: str, *, limit: int, count: int) -> int:
        before, now, left = await self._counters(who)
        room = limit + 1 - count
        # There is room once the weighted count falls below `room`: in this window, or the next.
        if now < room:
            return _whole(min(left, left - (room - now) * SECONDS / before) if before else 0)
        return _whole(left + SECONDS - room * SECONDS / now)

    async def _counters(self, who: str) -> tuple[int, int, float]:
        """The count before this window, the count in it, and the seconds it has left."""
        before, before_ttl, now, now_ttl = await self._storage.get_sliding_window(who, SECONDS)
        # The newer counter is kept for one window longer than it lasts.
        left = now_ttl - SECONDS if now_ttl > SECONDS else before_ttl
        return int(before or 0), int(now or 0), min(SECONDS, left)


def _whole(seconds: float) -> int:
    return min(2 * SECONDS, max(1, math.ceil(seconds)))
