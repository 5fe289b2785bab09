"""SAQ on Redis; results are not kept, which is its fastest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.peers import roles
from bench.peers.marks import Marks
from saq import Job, Queue, Worker

DROP_RESULT = -1
CALLERS = 64


class Peer:
    """A job is taken by each of its 100 tasks on its own."""

    async def prepare(self) -> None:
        """There is nothing to lay."""

    async def fill(self, count: int) -> None:
        async with self.submitter() as call:
            for start in range(0, count, 500):
                await asyncio.gather(*(call() for _ in range(min(500, count - start))))

    async def work(self) -> None:
        marks = Marks()

        async def noop(ctx: dict[str, Any], *, text: str) -> None:
            marks.hit()

        queue = Queue.from_url(roles.url())
        await queue.connect()
        await Worker(queue, [("noop", noop)], concurrency=100).start()

    @asynccontextmanager
    async def submitter(self) -> AsyncIterator[roles.Call]:
        queue = Queue.from_url(roles.url(), max_concurrent_ops=CALLERS)
        await queue.connect()

        async def call() -> None:
            await queue.enqueue(Job("noop", kwargs=roles.PAYLOAD, ttl=DROP_RESULT, retries=3))

        try:
            yield call
        finally:
            await queue.disconnect()


if __name__ == "__main__":
    roles.main(Peer())
