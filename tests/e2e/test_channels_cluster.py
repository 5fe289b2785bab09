"""Channels over two gateways: counts that are true after a kill or a stall, talk that goes on."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.cluster import Cluster, Member
from tests.support.postgres_server import shared_server
from tests.support.redis_server import RedisServer
from tests.support.talk import Frame, Talk, member

from jobcast.store.migrating import migrate

TRUE_WITHIN: Final = 10.0
"""Seconds from the death of a gateway until counts are exact, by the contract."""

LATE: Final = 30.0
"""Seconds for all else, on a machine that is busy with others."""


class Town:
    """Two gateways and a worker, and who is where."""

    def __init__(
        self, cluster: Cluster, redis: RedisServer, one: Member, two: Member, worker: Member
    ) -> None:
        self.cluster = cluster
        self.redis = redis
        self.one = one
        self.two = two
        self.worker = worker
        #: Of one user: people are told apart in the suites.
        self.headers = {"X-API-Key": cluster.key}

    async def crowd(self, gateway: Member, channel: str = "talk:1") -> tuple[int, int]:
        """Connections and people, as one gateway tells them."""
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=LATE) as client:
            shown = await client.get(f"/api/channels/{channel}", headers=self.headers)
        found = shown.json()["data"]
        return found["count"], found["users"]

    async def until(self, gateway: Member, crowd: tuple[int, int], within: float) -> float:
        """Waits until a gateway tells this crowd; how many seconds it took."""
        start = time.monotonic()
        seen = None
        while (seen := await self.crowd(gateway)) != crowd:
            if time.monotonic() - start > within:
                raise AssertionError(f"{seen} after {within} s, not {crowd}")
            await asyncio.sleep(0.05)
        return time.monotonic() - start


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    database = shared_server().create_database()
    redis = RedisServer().start()
    cluster = Cluster(
        tmp_path,
        database_url=database,
        redis_url=redis.url,
        app="tests.e2e.apps.talking:app",
        PYTHONPATH=str(Path.cwd()),
    )
    try:
        asyncio.run(migrate(database))
        cluster.prepare()
        one, two = cluster.gateway(), cluster.gateway()
        worker = cluster.worker()
        cluster.start()
        yield Town(cluster, redis, one, two, worker)
        assert set(cluster.stop()) == {0}
    finally:
        cluster.close()
        redis.kill()
        shared_server().drop_database(database)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def join(stack: AsyncExitStack, town: Town, gateway: Member, count: int) -> list[Talk]:
    """So many connections of one user, all in one channel."""
    talks = []
    for _ in range(count):
        address = gateway.url.removeprefix("http://")
        talk = await stack.enter_async_context(member(address, town.headers))
        answer = await talk.ask("join", channel="talk:1")
        assert answer["type"] == "joined", answer
        talks.append(talk)
    return talks


async def messages(talk: Talk, count: int) -> list[Frame]:
    while len(found := [f for f in talk.seen if f["type"] == "message"]) < count:
        await talk.hear()
    return found[:count]


async def test_counts_are_exact_soon_after_a_gateway_was_killed(
    town: Town, stack: AsyncExitStack
) -> None:
    await join(stack, town, town.one, 12)
    [watcher] = await join(stack, town, town.two, 1)
    await town.until(town.two, (13, 1), LATE)

    town.one.kill9()
    took = await town.until(town.two, (1, 1), TRUE_WITHIN)
    told = await watcher.until("presence")
    while (told["count"], told["users"]) != (1, 1):
        told = await watcher.until("presence")
    assert took <= TRUE_WITHIN

    # The tabs come back on the other gateway, all at once, and are counted once each.
    town.one.start()
    await asyncio.gather(*(join(stack, town, town.two, 1) for _ in range(12)))
    assert await town.crowd(town.one) == (13, 1)
    assert await town.crowd(town.two) == (13, 1)


async def test_a_gateway_that_was_stopped_past_its_lease_registers_anew(
    town: Town, stack: AsyncExitStack
) -> None:
    await join(stack, town, town.one, 3)
    await join(stack, town, town.two, 1)
    await town.until(town.two, (4, 1), LATE)
    town.one.signal(signal.SIGSTOP)
    try:
        await town.until(town.two, (1, 1), TRUE_WITHIN)
    finally:
        town.one.signal(signal.SIGCONT)
    await town.until(town.two, (4, 1), TRUE_WITHIN)
    assert await town.crowd(town.one) == (4, 1)


async def test_who_resumes_on_another_gateway_has_missed_nothing(
    town: Town, stack: AsyncExitStack
) -> None:
    [talk] = await join(stack, town, town.one, 1)
    [other] = await join(stack, town, town.two, 1)
    await other.ask("publish", channel="talk:1", data={"text": "one"})
    heard = await messages(talk, 2)
    place = heard[-1]["offset"]
    joined = next(frame for frame in talk.seen if frame["type"] == "joined")
    town.one.kill9()
    await other.ask("publish", channel="talk:1", data={"text": "two"})
    await messages(other, 4)

    address = town.two.url.removeprefix("http://")
    back = await stack.enter_async_context(member(address, town.headers))
    answer = await back.ask("join", channel="talk:1", after=place, epoch=joined["epoch"])
    assert (answer["recovered"], answer["offset"]) == (True, 4)
    missed = await messages(back, 2)
    assert [frame["offset"] for frame in missed] == [3, 4]
    assert [frame["data"] for frame in missed] == [{"text": "two"}, {"re": "two"}]


async def test_whoever_watches_jobs_resumes_elsewhere_without_a_gap(
    town: Town, stack: AsyncExitStack
) -> None:
    """By socket, by the stream of the tenant, by server-sent events: the gateway is killed."""
    first, second = (member.url.removeprefix("http://") for member in (town.one, town.two))
    by_job = await stack.enter_async_context(member(first, town.headers))
    by_tenant = await stack.enter_async_context(member(first, town.headers))
    await by_tenant.ask("subscribe", tenantId="local")
    submitted = await by_job.ask("submit", job={"type": "count", "payload": {"to": 150}})
    job_id = submitted["job"]["id"]
    seen = []
    async with httpx2.AsyncClient(timeout=LATE) as client:
        path = f"/api/jobs/{job_id}/events"
        async with client.stream("GET", town.one.url + path, headers=town.headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("id:"):
                    seen.append(int(line.removeprefix("id:")))
                if len(seen) > 30:
                    break
        heard = [f["seq"] for f in by_job.seen if f.get("jobId") == job_id and "seq" in f]
        while not heard or heard[-1] < 20:
            frame = await by_job.hear()
            if frame.get("jobId") == job_id:
                heard.append(frame["seq"])
        status = await by_tenant.until("job:processing")
        town.one.kill9()

        back = await stack.enter_async_context(member(second, town.headers))
        answer = await back.ask("subscribe", jobId=job_id, after=heard[-1])
        rest = [frame["seq"] for frame in await back.events(job_id)]
        assert answer["recovered"] is True
        newest = rest[-1]
        assert heard + rest == list(range(1, newest + 1))

        more = {"Last-Event-ID": str(seen[-1])}
        resumed = await client.get(town.two.url + path, headers=town.headers | more)
        ids = [int(line[3:]) for line in resumed.text.splitlines() if line.startswith("id:")]
        assert seen + ids == list(range(1, newest + 1))

        tenant = await stack.enter_async_context(member(second, town.headers))
        await tenant.ask("subscribe", tenantId="local", after=status["cursor"])
        assert (await tenant.until("job:done"))["jobId"] == job_id


async def test_a_redis_that_was_emptied_is_owned_up_to(town: Town, stack: AsyncExitStack) -> None:
    """History is lost, and that is said; who is there is counted again, and talk goes on."""
    [one] = await join(stack, town, town.one, 1)
    [two] = await join(stack, town, town.two, 1)
    await two.ask("publish", channel="talk:1", data={"text": "before"})
    await messages(one, 2)
    joined = next(frame for frame in one.seen if frame["type"] == "joined")
    town.redis.command("FLUSHALL")
    await town.until(town.one, (2, 1), TRUE_WITHIN)
    await two.ask("publish", channel="talk:1", data={"text": "after"})
    heard = await messages(one, 4)
    assert [frame["data"] for frame in heard[2:]] == [{"text": "after"}, {"re": "after"}]
    [gap] = [frame for frame in one.seen if frame["type"] == "gap"]
    assert (gap["channel"], gap["from"], gap["to"]) == ("talk:1", 3, None)
    assert gap["epoch"] != joined["epoch"]
    await one.ask("leave", channel="talk:1")
    answer = await one.ask("join", channel="talk:1", after=2, epoch=joined["epoch"])
    assert (answer["recovered"], answer["epoch"]) == (False, gap["epoch"])


async def test_a_worker_that_was_killed_costs_no_answer(
    town: Town, stack: AsyncExitStack, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    [talk] = await join(stack, town, town.one, 1)
    said: dict[str, Any] = {"text": "hi", "gate": str(gate)}
    await talk.ask("publish", channel="talk:1", data=said)
    async with httpx2.AsyncClient(base_url=town.one.url, timeout=LATE) as client:
        while True:
            listed = await client.get("/api/jobs", headers=town.headers)
            if [job["status"] for job in listed.json()["data"]] == ["PROCESSING"]:
                break
            await asyncio.sleep(0.05)
    town.worker.kill9()
    gate.touch()
    town.worker.start()
    async with asyncio.timeout(60):
        while len([f for f in talk.seen if f["type"] == "message"]) < 2:
            try:
                await talk.hear()
            except TimeoutError:
                continue  # a lease has to run out
    first, second = await messages(talk, 2)
    assert (first["data"], second["data"]) == (said, {"re": "hi"})
    async with httpx2.AsyncClient(base_url=town.one.url, timeout=LATE) as client:
        history = await client.get("/api/channels/talk:1/messages", headers=town.headers)
    assert len(history.json()["data"]["messages"]) == 2
