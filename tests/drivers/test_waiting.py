"""The quota of waiting jobs over several gateways on one database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.whole_house import settings

from jobcast.bus.memory import MemoryBus
from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import QuotaExceeded
from jobcast.runtime.clock import SystemClock
from jobcast.services.announcing import Announcer
from jobcast.services.job_cache import JobCache
from jobcast.services.job_input import parse_job
from jobcast.services.job_types import JobTypes
from jobcast.services.jobs import Jobs
from jobcast.store.postgres import PostgresStore

LIMIT = 60
GATEWAYS = 3
ACME = Principal(kind=Kind.KEY, tenant_id="acme")
JOB = parse_job(b'{"type":"work","delayMs":3600000}')


async def test_a_burst_over_several_gateways_gets_no_more_in_than_may_wait(
    postgres_url: str, tmp_path: Path
) -> None:
    clock = SystemClock()

    async def submit(gateway: Jobs) -> bool:
        try:
            await gateway.submit(ACME, JOB)
        except QuotaExceeded:
            return False
        return True

    async with AsyncExitStack() as stack:
        gateways = []
        for _ in range(GATEWAYS):
            store, bus = PostgresStore(postgres_url), MemoryBus()
            await store.open()
            stack.push_async_callback(store.close)
            given = settings(tmp_path, max_waiting=LIMIT)
            types, cache = JobTypes(store, clock), JobCache(bus)
            gateways.append(Jobs(store, Announcer(bus), types, given, clock, cache))

        done = await asyncio.gather(*(submit(one) for _ in range(LIMIT) for one in gateways))

    # Each may give the very last place away once.
    assert LIMIT <= sum(done) <= LIMIT + GATEWAYS - 1
