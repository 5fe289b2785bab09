"""Through PgBouncer in transaction mode: the same store, or a sentence that says what to set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.suites.store.truths import everything, look
from tests.suites.workbench import DONE, Bench, fence_of
from tests.support.pgbouncer_server import PgBouncerServer, program

from jobcast.domain.errors import Unavailable
from jobcast.runtime.clock import FakeClock
from jobcast.store.migrating import check, migrate
from jobcast.store.postgres import PostgresStore

pytestmark = pytest.mark.skipif(program() is None, reason="pgbouncer is not installed")


@pytest.fixture
def pooler(empty_postgres_url: str) -> Iterator[PgBouncerServer]:
    server = PgBouncerServer(empty_postgres_url).start()
    yield server
    server.stop()


@pytest.fixture
async def bench(pooler: PgBouncerServer, clock: FakeClock) -> AsyncIterator[Bench]:
    url = f"{pooler.url}?pgbouncer=true"
    await migrate(url)
    await check(url)
    store = PostgresStore(url, clock=clock)
    await store.open()
    yield Bench(store, clock)
    await store.close()


async def test_everything_that_a_store_does_works(bench: Bench) -> None:
    await everything(bench)
    assert [finding for finding in await look(bench) if finding.broken] == []


async def test_more_at_once_than_the_pooler_has_connections(bench: Bench) -> None:
    jobs = await asyncio.gather(*(bench.put(tags='["a"]') for _ in range(40)))
    claims = [await bench.claim(f"s{n}", limit=10) for n in range(4)]
    fences = [fence_of(job) for claimed in claims for job in claimed]
    await asyncio.gather(*(bench.finish(fence, DONE) for fence in fences))
    assert len(fences) == len(jobs)
    assert all([(await bench.state(job.id)).ended for job in jobs])


async def test_a_heartbeat_goes_through_it_too(bench: Bench) -> None:
    await bench.session("s1")
    async with bench.store.pulse() as renew:
        assert (await renew("s1")).alive
        assert (await renew("s1")).alive


async def test_who_does_not_say_so_is_told_what_to_set(pooler: PgBouncerServer) -> None:
    with pytest.raises(Unavailable, match=r"add \?pgbouncer=true to DATABASE_URL"):
        await migrate(pooler.url)
