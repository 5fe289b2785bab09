"""Many deadlines of which few are ever met: to set one and to cancel it costs next to nothing."""

import asyncio
from collections.abc import Callable
from math import ceil
from typing import Final

TICK: Final = 0.1
"""Seconds: deadlines are met up to this late, and never early."""

EXACT: Final = 1.0
"""Seconds: what is due sooner is left to the loop, which is exact; few are so near."""


class Deadline:
    """A call to come. `cancel` may be called at any time, also when it was made."""

    __slots__ = ("_bucket", "call")

    def __init__(self, call: Callable[[], object], bucket: "set[Deadline]") -> None:
        self.call: Final = call
        self._bucket = bucket
        bucket.add(self)

    def cancel(self) -> None:
        """It is not met any more."""
        self._bucket.discard(self)


class Timers:
    """Deadlines of one event loop, kept by the tick in which they are due, under one timer.

    The loop's own timers cost several microseconds each; a worker sets one for every job.
    """

    def __init__(self, *, tick: float = TICK, exact: float = EXACT) -> None:
        self._tick = tick
        self._exact = exact
        self._buckets: dict[int, set[Deadline]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0

    def after(self, seconds: float, call: Callable[[], object]) -> Deadline | asyncio.TimerHandle:
        """Calls once in `seconds`, unless it is cancelled before."""
        loop = asyncio.get_running_loop()
        if seconds < self._exact:
            return loop.call_later(seconds, call)
        due = ceil((loop.time() + seconds) / self._tick)
        bucket = self._buckets.get(due)
        if bucket is None:
            bucket = self._buckets[due] = set()
            if self._timer is None or due < self._armed:
                self._arm(loop, due)
        return Deadline(call, bucket)

    def _arm(self, loop: asyncio.AbstractEventLoop, due: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = due
        self._timer = loop.call_at(due * self._tick, self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Makes the calls that are due, and forgets the ticks in which none is left."""
        self._timer = None
        now = loop.time()
        due = sorted(at for at in self._buckets if at * self._tick <= now)
        called = [self._buckets.pop(at) for at in due]
        for at in [at for at, bucket in self._buckets.items() if not bucket]:
            del self._buckets[at]
        if self._buckets:
            self._arm(loop, min(self._buckets))
        for bucket in called:
            while bucket:
                bucket.pop().call()
