"""The PostgreSQL driver: the suite, and what only a database of many processes does."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import asyncpg
import pytest
import structlog
from sqlalchemy import Connection
from tests.suites.store import StoreSuite
from tests.suites.workbench import DONE, FAILED, Bench, changed, fence_of
from tests.support.postgres_server import DURABLE, PostgresServer

import jobcast
from jobcast.domain.errors import Conflict, InvalidRequest, Unavailable
from jobcast.domain.job import State
from jobcast.runtime.clock import FakeClock
from jobcast.store import jobs as queries
from jobcast.store.base import Finish, Store, Submit, Submitted
from jobcast.store.migrating import migrate
from jobcast.store.postgres import PostgresStore, connecting
from jobcast.store.postgres.pool import HOT, TRIES, Raw

T = TypeVar("T")


@asynccontextmanager
async def opened(url: str, clock: FakeClock | None = None) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url, clock=clock, hold_off=False)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def bench(postgres_url: str, clock: FakeClock) -> AsyncIterator[Bench]:
    async with opened(postgres_url, clock) as store:
        yield Bench(store, clock)


class TestPostgresStore(StoreSuite):
    """The behaviour of the store port, on PostgreSQL."""

    async def write_elsewhere(self, store: Store, change: Callable[[Connection], T]) -> T:
        """Its connections belong to a loop: elsewhere is another store."""
        assert isinstance(store, PostgresStore)
        async with opened(store.url) as other:
            return await other.write(change)


async def terminate_all(url: str) -> int:
    """Ends every other connection to the database; how many."""
    conn = await asyncpg.connect(url)
    try:
        ended: int = await conn.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return ended
    finally:
        await conn.close()


async def test_a_store_goes_on_when_all_its_connections_were_ended(
    bench: Bench, postgres_url: str
) -> None:
    await asyncio.gather(*(bench.put() for _ in range(20)))
    ended = 0
    for _ in range(3):
        ended += await terminate_all(postgres_url)
        answers = await asyncio.gather(*(bench.put() for _ in range(5)), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert {type(answer) for answer in refused} <= {Unavailable}
    assert await bench.put()
    assert ended > 0


async def test_a_disk_that_is_full_is_a_sentence(postgres_url: str, clock: FakeClock) -> None:
    full = "DO $$ BEGIN RAISE EXCEPTION 'No space left' USING ERRCODE = 'disk_full'; END $$"
    async with opened(postgres_url, clock) as store:
        with pytest.raises(Unavailable, match="No space left"):
            await store.write(lambda conn: conn.exec_driver_sql(full).close())


async def test_a_database_that_restarts_is_a_sentence_and_then_goes_on(clock: FakeClock) -> None:
    server = PostgresServer(DURABLE).start()
    url = server.create_database()
    await migrate(url)
    async with opened(url, clock) as store:
        bench = Bench(store, clock)
        fence = await bench.start()
        server.kill()
        with pytest.raises(Unavailable, match="The database cannot be used right now"):
            await bench.finish(fence)
        with pytest.raises(Unavailable):
            await store.read(queries.newest_change)
        server.start()
        assert changed(await bench.finish(fence)).job.state is State.DONE
    server.kill()


async def test_a_connection_outlives_a_refusal_but_not_a_caller_that_gives_up(
    bench: Bench,
) -> None:
    assert isinstance(bench.store, PostgresStore)
    pool = bench.store._pool

    async def pid() -> int:
        async with pool.connection() as raw:
            return int(raw.get_server_pid())

    async def refuse(raw: Any) -> None:
        await raw.execute("SELECT 1")
        raise Conflict("no")

    first = await pid()
    with pytest.raises(Conflict):
        await pool.run(refuse)
    with pytest.raises(asyncpg.DataError):
        async with pool.connection() as raw:
            await raw.fetch("SELECT $1::int", "text")
    [refused] = await bench.store.submit([Submit(bench.job(payload='"\ud800"'))])
    assert isinstance(refused, InvalidRequest)
    assert await pid() == first

    asleep = asyncio.Event()

    async def sleep() -> None:
        async with pool.connection() as raw:
            asleep.set()
            await raw.execute("SELECT pg_sleep(60)")

    sleeper = asyncio.create_task(sleep())
    await asleep.wait()
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    assert await pid() != first


async def test_a_process_that_is_frozen_in_a_transaction_lets_others_claim(
    postgres_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(postgres_url, clock) as living:
        bench = Bench(living, clock)
        await bench.cap("gpu", 2)
        await bench.submit(bench.job(type="gpu"))
        settings = {**connecting.SERVER_SETTINGS, "idle_in_transaction_session_timeout": "200"}
        monkeypatch.setattr(connecting, "SERVER_SETTINGS", settings)
        async with opened(postgres_url, clock) as frozen:
            locked, thawed = asyncio.Event(), asyncio.Event()

            async def stand_still(raw: Any) -> None:
                await raw.execute("SELECT * FROM job_types FOR UPDATE")
                locked.set()
                await thawed.wait()
                await raw.execute("SELECT 1")

            standing = asyncio.create_task(frozen._pool.run(stand_still))
            await locked.wait()
            assert [job.type for job in await bench.claim()] == ["gpu"]
            thawed.set()
            with pytest.raises(Unavailable):
                await standing
            await Bench(frozen, clock).put()  # on another connection


async def test_a_heartbeat_has_a_connection_of_its_own(bench: Bench, postgres_url: str) -> None:
    await bench.session("s1")
    async with bench.store.pulse() as renew, AsyncExitStack() as held:
        assert isinstance(bench.store, PostgresStore)
        for _ in range(HOT):  # nobody else gets one now
            await held.enter_async_context(bench.store._pool.connection())
        assert (await renew("s1")).alive
        await terminate_all(postgres_url)
        with suppress(Unavailable):  # unless it has heard of its end by now
            await renew("s1")
        assert (await renew("s1")).alive


async def test_what_a_draining_session_leaves_counts_no_death(bench: Bench) -> None:
    fence = await bench.start()
    await bench.store.drain_session("s1")
    bench.clock.advance(11)
    [change] = await bench.rescue()
    assert (change.job.id, change.job.state, change.job.deaths) == (fence.job_id, State.READY, 0)


async def test_after_the_database_was_away_the_living_may_renew_first(
    postgres_url: str, clock: FakeClock
) -> None:
    store = PostgresStore(postgres_url, clock=clock)
    bench = Bench(store, clock)
    clock.advance(10 * 365 * 86_400)  # the server, which goes by its own clock, started long ago
    fence = await bench.start()
    clock.advance(2)
    assert await bench.rescue() == []
    clock.advance(60)  # nobody could look
    assert await bench.rescue() == []
    clock.advance(4)
    assert await bench.rescue() == []
    clock.advance(4)
    assert await bench.rescue() == []
    clock.advance(2)
    [change] = await bench.rescue()
    assert change.job.id == fence.job_id
    await store.close()


async def test_a_server_that_has_just_started_rescues_nothing(
    postgres_url: str,
) -> None:
    clock = FakeClock(int(time.time() * 1000))
    store = PostgresStore(postgres_url, clock=clock)
    bench = Bench(store, clock)
    await bench.start()
    conn = await asyncpg.connect(postgres_url)
    started = await conn.fetchval("SELECT pg_postmaster_start_time()")
    await conn.close()
    clock.advance(started.timestamp() + 9 - clock.now() / 1000)
    assert await bench.rescue() == []
    await store.close()


async def test_a_long_transaction_elsewhere_hides_nothing_and_skips_nothing(
    bench: Bench, postgres_url: str
) -> None:
    """The cursor of a tenant's watchers waits behind it; what comes meanwhile is seen at once."""
    start = await bench.store.read(queries.newest_change)
    slow = await asyncpg.connect(postgres_url)
    work = slow.transaction()
    await work.start()
    early = await jobcast.submit("work", tenant="acme", connection=slow)
    later = [await bench.put() for _ in range(5)]

    async def seen(after: int, limit: int) -> tuple[list[str], int]:
        told, cursor = await bench.store.read(
            partial(queries.changes_after, tenant_id="acme", change=after, limit=limit)
        )
        return [event.job_id for event in told], cursor

    for limit in (2, 100):
        told, cursor = await seen(start, limit)
        assert set(told) == {job.id for job in later}
        assert cursor < (early.seq and await _change(bench, later[0].id))
    await work.commit()
    await slow.close()
    told, _ = await seen(cursor, 100)
    assert early.id in told


async def _change(bench: Bench, job_id: str) -> int:
    [event] = await bench.events(job_id)
    assert event.change is not None
    return event.change


async def test_one_unique_key_submitted_by_many_processes_is_one_job(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        benches = [
            Bench(await stack.enter_async_context(opened(postgres_url)), FakeClock())
            for _ in range(4)
        ]
        keys = [f"k{n}" for n in range(5)]
        answers = await asyncio.gather(
            *(
                bench.submit(*(bench.job(unique_key=key) for key in random.sample(keys, 5)))
                for bench in benches * 5
            )
        )
        ids = {answer.job.id for batch in answers for answer in batch}  # type: ignore[union-attr]
        assert len(ids) == 5
        assert await benches[0].count() == 5


async def test_one_idempotency_key_sent_to_many_processes_is_one_job(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        benches = [
            Bench(await stack.enter_async_context(opened(postgres_url)), FakeClock())
            for _ in range(4)
        ]
        answers = await asyncio.gather(*(bench.keyed("k") for bench in benches * 10))
        jobs = [answer for answer in answers if isinstance(answer, Submitted)]
        assert len({answer.job.id for answer in jobs}) == 1
        assert sum(not answer.replayed for answer in jobs) == 1
        assert len(jobs) == 40


async def test_a_cap_holds_over_many_processes(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(postgres_url)) for _ in range(4)]
        benches = [Bench(store, FakeClock()) for store in stores]
        await benches[0].cap("gpu", 5)
        await benches[0].submit(
            *(benches[0].job(type="gpu", tenant_id=f"t{n % 7}") for n in range(200))
        )
        running = most = done = 0

        async def work(bench: Bench, name: str) -> None:
            nonlocal running, most, done
            while done < 200:
                taken = await bench.claim(name, limit=3)
                running += len(taken)
                most = max(most, running)
                await asyncio.sleep(0)
                running -= len(taken)
                done += len(taken)
                if taken:
                    await bench.store.finish([Finish(fence_of(job), DONE) for job in taken])

        async with asyncio.timeout(60):
            await asyncio.gather(*(work(bench, f"s{n}") for n, bench in enumerate(benches)))
        assert most <= 5
        assert done == 200


async def test_claims_under_caps_never_lock_each_other_out(postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(postgres_url)) for _ in range(3)]
        benches = [Bench(store, FakeClock()) for store in stores]
        first = benches[0]
        tenants = [f"t{n}" for n in range(6)]
        for tenant in tenants:
            await first.tenant(tenant, max_running=1)
        for kind in "abc":
            await first.cap(kind, 2)
        await first.submit(
            *(
                first.job(type=kind, tenant_id=tenant)
                for tenant in tenants
                for kind in "abcd"
                for _ in range(5)
            )
        )
        done = 0

        async def work(bench: Bench, name: str) -> None:
            nonlocal done
            await bench.session(name)
            while done < 120:
                taken = await bench.claim(name, limit=2)
                done += len(taken)
                if taken:
                    await bench.store.finish([Finish(fence_of(job), DONE) for job in taken])

        async with asyncio.timeout(60):
            await asyncio.gather(*(work(benches[n % 3], f"s{n}") for n in range(9)))
        assert done == 120


async def test_ends_and_submits_of_one_minute_never_lock_each_other_out(
    postgres_url: str,
) -> None:
    """They add to the same rows: all in the order of types, also where some runs have failed."""
    async with opened(postgres_url) as store:
        bench = Bench(store, FakeClock())
        pairs = 40
        await bench.submit(*(bench.job(type=kind) for kind in "ab" for _ in range(pairs)))
        runs = [fence_of(job) for job in await bench.claim(limit=2 * pairs)]
        ends = [
            [Finish(bad, FAILED), Finish(good, DONE)]
            for bad, good in zip(runs[:pairs], runs[pairs:], strict=True)
        ]
        submits = (bench.submit(bench.job(type="a"), bench.job(type="b")) for _ in range(pairs))
        with structlog.testing.capture_logs() as told:
            ended, _ = await asyncio.gather(
                asyncio.gather(*map(store.finish, ends)), asyncio.gather(*submits)
            )
        assert told == []
        states = [[changed(answer).job.state for answer in batch] for batch in ended]
        assert states == [[State.FAILED, State.DONE]] * pairs


async def test_one_statement_that_lost_a_race_is_done_anew(postgres_url: str) -> None:
    race = "DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = 'deadlock_detected'; END $$"
    async with opened(postgres_url) as store:
        tried = 0

        async def work(raw: Raw, *, lost: int) -> str:
            nonlocal tried
            tried += 1
            if tried <= lost:
                await raw.execute(race)
            return "done"

        assert await store._pool.alone(partial(work, lost=TRIES - 1)) == "done"
        assert tried == TRIES
        tried = 0
        with pytest.raises(Unavailable, match="too busy"):
            await store._pool.alone(partial(work, lost=TRIES))
