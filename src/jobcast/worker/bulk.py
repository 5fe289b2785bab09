"""Bulk operations as a worker sees them, and who runs them where every worker is busy."""

import asyncio
from functools import partial
from typing import Any, Final

from jobcast.bus.base import Bus
from jobcast.domain.bulk import QUEUE, Action, type_of
from jobcast.domain.errors import InvalidRequest
from jobcast.services.announcing import Announcer
from jobcast.services.bulk import ATTEMPTS, TIMEOUT_MS, Bulk
from jobcast.store.base import Store
from jobcast.store.bulk import any_waiting
from jobcast.worker.attempt import Tools
from jobcast.worker.context import Context
from jobcast.worker.handler import Fail, Handlers, JobType
from jobcast.worker.worker import Worker

LOOK_EVERY: Final = 1.0
"""Seconds between looks for bulk operations that no worker has begun."""

AT_ONCE: Final = 2


def with_bulk(handlers: Handlers, bulk: Bulk) -> Handlers:
    """The handlers of an app, and those of bulk operations."""
    return Handlers({**handlers.types, **_handlers(bulk).types})


def _handlers(bulk: Bulk) -> Handlers:
    async def carry_out(ctx: Context, payload: Any) -> Any:
        try:
            return await bulk.run(ctx.job, ctx)
        except InvalidRequest as problem:
            raise Fail(problem.message) from None

    kinds = [
        JobType(
            type=type_of(action),
            handler=carry_out,
            max_attempts=ATTEMPTS,
            timeout=TIMEOUT_MS / 1000,
            queue=QUEUE,
            max_running=None,
            isolated=False,
            is_async=True,
            payload_type=dict,
            schema=None,
            adapter=None,
            internal=True,
        )
        for action in Action
    ]
    return Handlers({kind.type: kind for kind in kinds})


class Errands:
    """Runs bulk operations in a gateway: where all slots are taken, or no worker is there.

    A worker with a session of its own, which lives as long as there is something to do. `stop`
    makes it give back what it runs; somebody else goes on with that.
    """

    def __init__(
        self, bulk: Bulk, store: Store, bus: Bus, announcer: Announcer, tools: Tools
    ) -> None:
        self._handlers = _handlers(bulk)
        self._store = store
        self._bus = bus
        self._announcer = announcer
        self._tools = tools
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Takes nothing more."""
        self._stopping.set()

    async def tick(self) -> None:
        """Looks whether something waits, and returns when all of it has ended."""
        if self._stopping.is_set() or not await self._store.read(any_waiting):
            return
        worker = Worker(
            self._handlers,
            self._store,
            self._bus,
            self._announcer,
            self._tools,
            queues=[QUEUE],
            concurrency=AT_ONCE,
        )
        async with worker:
            while await self._more(worker):
                await self._wait()

    async def _more(self, worker: Worker) -> bool:
        if self._stopping.is_set():
            return False
        return await self._store.read(partial(any_waiting, session_id=worker.session_id))

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._stopping.wait()
        except TimeoutError:
            return
