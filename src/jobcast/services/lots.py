"""Counting what is frequent: a shared count, from which each process takes in lots.

Whoever asks seldom is counted one by one. Who asks often is counted ahead: each lot that is used up
within a second makes the next one twice as large, up to a hundredth of the limit. So a busy caller
costs the shared storage one look for hundreds of requests, and what passes is never more than the
limit; what is counted is at most twice what passes.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from jobcast.runtime.clock import Clock
from jobcast.services.windows import Window

LASTS: Final = 1.0
"""Seconds that a lot is good for."""

SHARE: Final = 100
"""The largest lot is this part of the limit."""

REMEMBERED: Final = 10_000
"""Callers whose lots are kept; beyond, the one that was silent longest is counted anew."""


@dataclass(slots=True)
class _Lot:
    left: int = 0
    size: int = 1
    until: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def use(self, now: float) -> bool:
        if self.left == 0 or now >= self.until:
            return False
        self.left -= 1
        return True


class Lots:
    """Counts one at a time on a window that is shared with other processes."""

    def __init__(self, window: Window, *, clock: Clock) -> None:
        self._window = window
        self._clock = clock
        self._lots: OrderedDict[str, _Lot] = OrderedDict()

    async def take(self, who: str, *, limit: int) -> bool:
        """Counts one more if that stays within the limit."""
        lot = self._lots.get(who)
        if lot is None:
            lot = self._lots[who] = _Lot()
            if len(self._lots) > REMEMBERED:
                self._lots.popitem(last=False)
        else:
            self._lots.move_to_end(who)
        if lot.use(self._clock.monotonic()):
            return True
        async with lot.turn:
            return lot.use(self._clock.monotonic()) or await self._fill(lot, who, limit)

    async def _fill(self, lot: _Lot, who: str, limit: int) -> bool:
        """Takes the next lot, and one of it."""
        now = self._clock.monotonic()
        lot.size = min(lot.size * 2, max(1, limit // SHARE)) if now < lot.until else 1
        lot.until = now + LASTS
        for size in (lot.size, 1):
            if await self._window.take(who, limit=limit, count=size):
                lot.left = size - 1
                return True
        return False
