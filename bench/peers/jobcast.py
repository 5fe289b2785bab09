"""Jobcast itself, in its production roles: a worker process, and three ways to submit.

BENCH_WAY: `http` is AsyncClient to a gateway at JOBCAST_URL; `services` is what a gateway does
behind its door, in this process; `transaction` is jobcast.submit, each call in a transaction of
its own on a pool of asyncpg connections.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
from bench.peers import roles
from bench.peers.marks import Marks

import jobcast
from jobcast.client import AsyncClient
from jobcast.compose.house import lay_ground
from jobcast.domain.access import Kind, Principal
from jobcast.domain.job import Job, State
from jobcast.runtime.clock import SystemClock
from jobcast.runtime.ids import new_id
from jobcast.services.job_input import parse_job
from jobcast.settings import load_settings
from jobcast.store.base import Submit
from jobcast.store.postgres import PostgresStore

TENANT = "local"
BATCH = 200
CONNECTIONS = 20
BODY = roles.json.dumps({"type": "noop", "payload": roles.PAYLOAD}).encode()

app = jobcast.App()
_marks: list[Marks] = []


@app.job("noop")
async def noop(ctx: jobcast.Context, payload: dict[str, Any]) -> dict[str, bool]:
    """Ends at once, with a result that is stored."""
    if not _marks:
        _marks.append(Marks())
    _marks[0].hit()
    return {"ok": True}


class Peer:
    """The schema is laid by `jobcast migrate`, before."""

    async def prepare(self) -> None:
        """There is nothing left to lay."""

    async def fill(self, count: int) -> None:
        store = PostgresStore(roles.url())
        await store.open()
        try:
            for start in range(0, count, BATCH):
                size = min(BATCH, count - start)
                await store.submit([Submit(_noop()) for _ in range(size)])
        finally:
            await store.close()

    async def work(self) -> None:
        words = ["worker", "bench.peers.jobcast:app", "--concurrency", "100"]
        os.execv(sys.executable, [sys.executable, "-m", "jobcast.cli", *words])

    @asynccontextmanager
    async def submitter(self) -> AsyncIterator[roles.Call]:
        way = {"http": _http, "services": _services, "transaction": _transaction}
        async with way[os.environ["BENCH_WAY"]]() as call:
            yield call


@asynccontextmanager
async def _http() -> AsyncIterator[roles.Call]:
    key = os.environ["JOBCAST_API_KEY"]
    async with AsyncClient(os.environ["JOBCAST_URL"], key) as client:
        yield lambda: client.submit("noop", roles.PAYLOAD)


@asynccontextmanager
async def _services() -> AsyncIterator[roles.Call]:
    principal = Principal(kind=Kind.SERVICE, tenant_id=TENANT)
    async with AsyncExitStack() as stack:
        ground = await lay_ground(load_settings(env_file=None), stack)
        yield lambda: ground.jobs.submit(principal, parse_job(BODY))


@asynccontextmanager
async def _transaction() -> AsyncIterator[roles.Call]:
    async with asyncpg.create_pool(roles.url(), min_size=2, max_size=CONNECTIONS) as pool:

        async def call() -> None:
            async with pool.acquire() as connection, connection.transaction():
                await jobcast.submit("noop", roles.PAYLOAD, tenant=TENANT, connection=connection)

        yield call


def _noop() -> Job:
    now = SystemClock().now()
    return Job(
        id=new_id(),
        tenant_id=TENANT,
        user_id=None,
        queue="default",
        type="noop",
        state=State.READY,
        payload=roles.json.dumps(roles.PAYLOAD),
        priority=0,
        max_attempts=3,
        timeout_ms=600_000,
        tags="[]",
        run_at=now,
        created_at=now,
        updated_at=now,
    )


if __name__ == "__main__":
    roles.main(Peer())
