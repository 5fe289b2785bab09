"""Celery on Redis, in one process; results are not kept and jobs acknowledged late.

Its calls block, so the callers are threads.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from bench.peers import roles
from bench.peers.marks import Marks
from celery import Celery

app = Celery("bench", broker=roles.url())
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,  # like the others: a job outlives the worker that runs it
    worker_prefetch_multiplier=100,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=64,
    worker_hijack_root_logger=False,
)
_marks: list[Marks] = []


@app.task(name="noop")
def noop(text: str) -> None:
    if not _marks:
        _marks.append(Marks())
    _marks[0].hit()


class Peer:
    """`celery worker` takes this very module."""

    async def prepare(self) -> None:
        """There is nothing to lay."""

    async def fill(self, count: int) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(count):
                noop.apply_async(kwargs=roles.PAYLOAD, producer=producer)

    async def work(self) -> None:
        pool = os.environ.get("BENCH_CELERY_POOL", "solo")
        words = ["worker", "--loglevel=error", f"--pool={pool}", "--concurrency=1"]
        words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        os.execvp("celery", ["celery", "-A", "bench.peers.celery:app", *words])

    @asynccontextmanager
    async def submitter(self) -> AsyncIterator[roles.Call]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(64) as threads:
            yield lambda: loop.run_in_executor(threads, lambda: noop.delay(**roles.PAYLOAD))


if __name__ == "__main__":
    roles.main(Peer())
