"""Entering attempts of webhooks in batches, whatever the database is doing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from jobcast.runtime import audit
from jobcast.runtime.batcher import Batcher
from jobcast.runtime.clock import Clock
from jobcast.runtime.loops import BACKOFF_CAP
from jobcast.services import delivery_batches
from jobcast.services.delivery_batches import Recorded
from jobcast.store.base import Store
from jobcast.store.delivery_leases import Attempted

log: Final = structlog.get_logger("jobcast.webhooks")


@dataclass(slots=True)
class Counts:
    """What happened since the start.

    `lost` counts attempts that outlived their lease, `held` deliveries to endpoints that are
    disabled, `disabled` endpoints that were.
    """

    posted: int = 0
    succeeded: int = 0
    retried: int = 0
    failed: int = 0
    gone: int = 0
    lost: int = 0
    held: int = 0
    disabled: int = 0
    unrecorded: int = 0


class Recorder:
    """Records attempts; while the database is away they keep their places, and are tried again.

    `disable_after` in seconds, as `Deliverer` says; `limit` attempts go into one transaction.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        disable_after: float,
        limit: int,
        backoff: float,
        counts: Counts,
    ) -> None:
        self._store = store
        self._clock = clock
        self._disable_after = int(disable_after * 1_000)
        self._backoff = backoff
        self._counts = counts
        self._batch = Batcher(self._write, limit=limit)
        self._closing = asyncio.Event()

    async def __call__(self, attempt: Attempted) -> bool:
        """Whether it was recorded: False when another taker has the delivery, or at the end."""
        return await self._batch(attempt)

    async def close(self) -> None:
        """Gives each of those that wait one more try."""
        self._closing.set()
        await self._batch.drained()

    async def _write(self, attempts: Sequence[Attempted]) -> Sequence[bool]:
        wait = self._backoff
        while True:
            now = self._clock.now()
            try:
                return self._told(await self._enter(attempts, now=now))
            except Exception:
                self._counts.unrecorded += 1
                log.exception("webhook attempts not recorded", attempts=len(attempts))
                if self._closing.is_set():
                    return [False] * len(attempts)
            await self._pause(wait)
            wait = min(BACKOFF_CAP, wait * 2)

    async def _enter(self, attempts: Sequence[Attempted], *, now: int) -> Recorded:
        return await self._store.write(
            lambda conn: delivery_batches.record(
                conn, attempts, now=now, disable_after=self._disable_after
            )
        )

    def _told(self, recorded: Recorded) -> Sequence[bool]:
        for endpoint in recorded.disabled:
            self._counts.disabled += 1
            audit.refusal(
                "webhook endpoint disabled",
                tenant=endpoint.tenant_id,
                endpoint=endpoint.endpoint,
                failures=endpoint.failures,
                error=endpoint.last_error,
            )
        return recorded.answers

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
