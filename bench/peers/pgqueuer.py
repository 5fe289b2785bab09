"""PgQueuer, on a pool of asyncpg connections; batches as large as its own benchmark's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from bench.peers import roles
from bench.peers.marks import Marks
from pgqueuer import PgQueuer, Queries
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job

BATCH = 100
CONNECTIONS = 10
DATA = json.dumps(roles.PAYLOAD).encode()


class Peer:
    """Ended jobs leave the queue's table for its log."""

    async def prepare(self) -> None:
        async with _pool() as pool:
            await Queries(AsyncpgPoolDriver(pool)).install()

    async def fill(self, count: int) -> None:
        async with _pool() as pool:
            queries = Queries(AsyncpgPoolDriver(pool))
            for start in range(0, count, 1_000):
                size = min(1_000, count - start)
                await queries.enqueue(["noop"] * size, [DATA] * size, [0] * size)

    async def work(self) -> None:
        marks = Marks()
        async with _pool() as pool:
            app = PgQueuer(AsyncpgPoolDriver(pool))

            @app.entrypoint("noop")
            async def noop(job: Job) -> None:
                marks.hit()

            await app.run(batch_size=BATCH)

    @asynccontextmanager
    async def submitter(self) -> AsyncIterator[roles.Call]:
        async with _pool() as pool:
            queries = Queries(AsyncpgPoolDriver(pool))
            yield lambda: queries.enqueue("noop", DATA)


def _pool() -> asyncpg.Pool:
    return asyncpg.create_pool(roles.url(), min_size=2, max_size=CONNECTIONS)


if __name__ == "__main__":
    roles.main(Peer())
