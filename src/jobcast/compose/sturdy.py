"""Limits that hold when Redis is away: each process then counts for itself.

What a moving window counts (submissions of users, wrong passwords) every process notes for itself
all along, so that nobody gets a fresh budget from it in the moment that Redis goes.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import structlog
from limits.aio.storage import (
    MemoryStorage,
    MovingWindowSupport,
    RedisStorage,
    SlidingWindowCounterSupport,
    Storage,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

ALONE_SECONDS: Final = 5.0
"""After a failure the process counts for itself for so long before it asks Redis again."""

ANSWER_SECONDS: Final = 1.0
"""How long a request waits for Redis to count it."""

KEY_PREFIX: Final = "jobcast:limits"
"""As with all that is kept in Redis: other programs there count under names of their own."""

Counting = MemoryStorage | RedisStorage
T = TypeVar("T")
log: Final = structlog.get_logger("jobcast.limits")


class SturdyStorage(Storage, MovingWindowSupport, SlidingWindowCounterSupport):
    """The shared storage while it answers, else one of this process's own."""

    def __init__(self, url: str) -> None:
        super().__init__()
        options: Any = {
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": ANSWER_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
        }
        self._shared = RedisStorage(
            _storage_url(url), implementation="redispy", key_prefix=KEY_PREFIX, **options
        )
        self._own = MemoryStorage()
        self._alone_until = 0.0

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._shared.bridge.get_connection().aclose()  # type: ignore[attr-defined]

    @property
    def base_exceptions(self) -> type[Exception]:
        return RedisError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return await self._ask(lambda storage: storage.incr(key, expiry, amount=amount))

    async def get(self, key: str) -> int:
        return await self._ask(lambda storage: storage.get(key))

    async def get_expiry(self, key: str) -> float:
        return await self._ask(lambda storage: storage.get_expiry(key))

    async def check(self) -> bool:
        return await self._ask(lambda storage: storage.check())

    async def reset(self) -> int | None:
        return await self._ask(lambda storage: storage.reset())

    async def clear(self, key: str) -> None:
        await self._ask(lambda storage: storage.clear(key))

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        taken = await self._ask(lambda storage: storage.acquire_entry(key, limit, expiry, amount))
        if taken and not self._alone:
            await self._own.acquire_entry(key, limit, expiry, amount)
        return taken

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        return await self._ask(lambda storage: storage.get_moving_window(key, limit, expiry))

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        return await self._ask(
            lambda storage: storage.acquire_sliding_window_entry(key, limit, expiry, amount)
        )

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        return await self._ask(lambda storage: storage.get_sliding_window(key, expiry))

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        await self._ask(lambda storage: storage.clear_sliding_window(key, expiry))

    @property
    def _alone(self) -> bool:
        return time.monotonic() < self._alone_until

    async def _ask(self, count: Callable[[Counting], Awaitable[T]]) -> T:
        if not self._alone:
            try:
                return await count(self._shared)
            except (RedisError, OSError, TimeoutError) as problem:
                self._alone_until = time.monotonic() + ALONE_SECONDS
                log.warning("limits are counted in this process alone", problem=repr(problem))
        return await count(self._own)


def _storage_url(url: str) -> str:
    """The address as the `limits` library writes it."""
    return f"async+redis+{url}" if url.startswith("unix:") else f"async+{url}"
