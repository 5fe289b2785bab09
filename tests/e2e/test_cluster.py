"""Many machines: gateways and workers as processes of their own on PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.e2e.api import Api, assert_whole, eventually
from tests.support.cluster import Cluster, Member
from tests.support.postgres_server import shared_server
from tests.support.redis_server import RedisServer

import jobcast

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer().start()
    yield server
    server.kill()


@pytest.fixture
def cluster(redis: RedisServer, tmp_path: Path) -> Iterator[Cluster]:
    """A database with a schema and a first key; nothing runs yet."""
    url = shared_server().create_database()
    made = Cluster(tmp_path, database_url=url, redis_url=redis.url, app="tests.e2e.apps.ledger:app")
    made.prepare()
    yield made
    made.close()
    shared_server().drop_database(url)


def api_of(cluster: Cluster, gateway: Member) -> Api:
    return Api(gateway.url, key=cluster.key)


def children(member: Member) -> list[int]:
    """The processes that a process keeps."""
    told = Path(f"/proc/{member.pid}/task/{member.pid}/children").read_text()
    return [int(pid) for pid in told.split()]


async def test_what_one_gateway_takes_in_is_watched_on_another(cluster: Cluster) -> None:
    here, there = cluster.gateway(), cluster.gateway()
    cluster.worker()
    cluster.start()
    async with api_of(cluster, here) as one, api_of(cluster, there) as other:
        job = await one.submit("stream-text", {"text": "one two three", "delayMs": 1})
        assert_whole(await other.events(job["id"]))
        assert (await other.job(job["id"]))["status"] == "DONE"
    assert cluster.stop() == [0, 0, 0]


async def test_a_cancel_reaches_the_handler_on_another_machine(
    cluster: Cluster, tmp_path: Path
) -> None:
    here, there = cluster.gateway(), cluster.gateway()
    cluster.worker()
    cluster.start()
    async with api_of(cluster, here) as one, api_of(cluster, there) as other:
        job = await one.submit("gate", {"gate": str(tmp_path / "never")})
        watching = asyncio.create_task(one.events(job["id"]))
        await eventually(
            lambda: other.get(f"/api/jobs/{job['id']}/output"), lambda pieces: bool(pieces)
        )
        await other.post(f"/api/jobs/{job['id']}/cancel", status=202)
        assert_whole(await watching, end="job:cancelled")


async def test_all_cores_share_a_port_and_a_dead_process_is_replaced(cluster: Cluster) -> None:
    gateway = cluster.gateway("--processes", "2")
    worker = cluster.worker("--processes", "2")
    cluster.start()
    async with api_of(cluster, gateway) as api:
        for member in (gateway, worker):
            before = children(member)
            assert len(before) == 2
            os.kill(before[0], signal.SIGKILL)

            async def living(member: Member = member) -> list[int]:
                return children(member)

            def replaced(now: list[int], before: list[int] = before) -> bool:
                return len(now) == 2 and before[0] not in now and before[1] in now

            await eventually(living, replaced)
        jobs = await asyncio.gather(*(api.submit("sleep", {"delayMs": 1}) for _ in range(40)))
        await asyncio.gather(*(api.done(job["id"]) for job in jobs))
    assert cluster.stop() == [0, 0]
    assert json.loads(cluster.command("verify", "--json"))["ok"] is True


async def test_a_job_is_there_if_and_only_if_the_users_transaction_commits(
    cluster: Cluster, tmp_path: Path
) -> None:
    gateway = cluster.gateway()
    cluster.worker()
    cluster.start()
    conn = await asyncpg.connect(cluster.database_url)
    await conn.execute("CREATE TABLE orders (n int)")
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("INSERT INTO orders VALUES (1)")
    undone = await jobcast.submit("sleep", {"delayMs": 1}, tenant="shop", connection=conn)
    await transaction.rollback()
    async with conn.transaction():
        await conn.execute("INSERT INTO orders VALUES (2)")
        kept = await jobcast.submit("sleep", {"delayMs": 1}, tenant="shop", connection=conn)
    await conn.close()
    async with api_of(cluster, gateway) as api:
        assert (await api.done(kept.id))["tenantId"] == "shop"
        assert (await api.http.get(f"/api/jobs/{undone.id}")).status_code == 404


async def test_without_redis_jobs_run_and_watchers_are_whole(cluster: Cluster) -> None:
    here, there = cluster.gateway(REDIS_URL=""), cluster.gateway(REDIS_URL="")
    cluster.worker(REDIS_URL="")
    cluster.start()
    async with api_of(cluster, here) as one, api_of(cluster, there) as other:
        job = await one.submit("stream-text", {"text": "slow but whole", "delayMs": 1})
        assert_whole(await other.events(job["id"]))
