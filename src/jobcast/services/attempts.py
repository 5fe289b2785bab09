"""Limits on wrong passwords: for an account from an address, and for an address.

Never for an account alone: nobody can lock its owner out from elsewhere. From one address the wait
before the next attempt at one account grows with every wrong password of the last hour. Attempts
at one account from one address are judged one after the other, so that a burst of guesses is
counted exactly.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import MovingWindowSupport, Storage
from limits.aio.strategies import MovingWindowRateLimiter

from jobcast.domain.addresses import network_of
from jobcast.domain.errors import RateLimited
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock

FREE: Final = 5
"""Wrong passwords without a wait, for a tired owner: after them it is 1 s, 2 s, 4 s, …"""

LONGEST_WAIT: Final = 15 * 60
"""Seconds that the wait grows to."""

REMEMBERED: Final = 3600
"""Seconds after which a wrong password is forgotten: from one address some 18 in an hour."""

MOST: Final = 100
"""Wrong passwords that are counted; by then the wait is long at its longest."""

ADDRESS: Final = RateLimitItemPerMinute(100, 15, namespace="wrong-passwords/address")
"""A hundred in 15 min from one address over all accounts: an office, but no list of passwords."""

WAITING: Final = 50
"""How many attempts at one account from one address may wait for their turn."""


class Attempts:
    """Counts wrong passwords, and refuses to look at more."""

    def __init__(self, storage: Storage, *, clock: Clock) -> None:
        assert isinstance(storage, MovingWindowSupport)
        self._windows: MovingWindowSupport = storage
        self._moving = MovingWindowRateLimiter(storage)
        self._clock = clock
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def attempt(
        self, *, account: str, address: str
    ) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Within this, one password may be tried; what it gives counts a wrong one.

        Raises RateLimited instead when too many were wrong, or too many are being tried.
        """
        network = network_of(address)
        digest = hashlib.sha256(f"{network} {account}".encode("utf-8", "surrogatepass")).hexdigest()
        who = f"wrong-passwords/account/{digest}"
        async with self._turn(who):
            try:
                await self._check_account(who)
            except RateLimited:
                audit.stranger("login held off", address=address)
                raise
            if not await self._moving.test(ADDRESS, network):
                stats = await self._moving.get_window_stats(ADDRESS, network)
                audit.stranger("login held off", address=address)
                raise _refusal(seconds_left(stats.reset_time, clock=self._clock))

            async def wrong() -> None:
                await self._windows.acquire_entry(who, MOST, REMEMBERED)
                await self._moving.hit(ADDRESS, network)

            yield wrong

    @asynccontextmanager
    async def _turn(self, who: str) -> AsyncIterator[None]:
        lock, waiting = self._turns.get(who, (asyncio.Lock(), 0))
        if waiting > WAITING:
            raise _refusal(1)
        self._turns[who] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns.pop(who)
            if waiting > 1:
                self._turns[who] = lock, waiting - 1

    async def _check_account(self, who: str) -> None:
        """Raises RateLimited while the wait after the last wrong one lasts."""
        wait = delay(await self._count(who, REMEMBERED))
        if wait and await self._count(who, wait):
            # Bisected to the second: how long ago was the last one?
            none, some = 0, wait
            while some - none > 1:
                middle = (none + some) // 2
                if await self._count(who, middle):
                    some = middle
                else:
                    none = middle
            raise _refusal(wait - none)

    async def _count(self, who: str, seconds: int) -> int:
        _, count = await self._windows.get_moving_window(who, MOST, seconds)
        return count


def delay(wrong: int) -> int:
    """Seconds to wait after the last of so many wrong passwords."""
    return 0 if wrong < FREE else int(min(LONGEST_WAIT, 2 ** (wrong - FREE)))


def seconds_left(moment: float, *, clock: Clock) -> int:
    """Whole seconds until a moment (in seconds since 1970), at least one."""
    return max(1, math.ceil(moment - clock.now() / 1000))


def _refusal(seconds: int) -> RateLimited:
    return RateLimited(
        f"Too many failed logins. Try again in {seconds} seconds.", retry_after=seconds
    )
