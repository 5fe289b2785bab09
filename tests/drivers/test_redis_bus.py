"""The bus on Redis: the suite, and what becomes of readers when Redis does not behave."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.suites.bus import NOW, BusSuite, Reader, told
from tests.suites.presence import BRIEF, PresenceSuite
from tests.support.redis_server import RedisServer, shared_redis

from jobcast.bus.base import Attendance, Bus, Crowd, Message
from jobcast.bus.redis import RedisBus
from jobcast.domain.errors import Unavailable

_numbers = itertools.count()


@asynccontextmanager
async def opened(url: str, **options: float | str | bool) -> AsyncIterator[RedisBus]:
    bus = RedisBus(url, **{"canary_every": 0.05, "deaf_after": 0.4, **options})  # type: ignore[arg-type]
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    # A prefix of its own keeps each test apart on the one server.
    async with opened(shared_redis().url, prefix=f"test{next(_numbers)}:", deaf_after=30) as bus:
        yield bus


@pytest.fixture
async def brief() -> AsyncIterator[Bus]:
    prefix = f"test{next(_numbers)}:"
    async with opened(shared_redis().url, prefix=prefix, deaf_after=30, lease=BRIEF) as bus:
        yield bus


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server that the test may mistreat."""
    server = RedisServer().start()
    yield server
    server.kill()


class TestRedisBus(BusSuite):
    """The behaviour of the bus port, on Redis."""


class TestRedisPresence(PresenceSuite):
    """Who is in channels, on Redis."""


async def test_the_canary_tells_how_late_messages_come(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        await until(lambda: bus.lag is not None)
        assert bus.lag is not None and 0 <= bus.lag < 10


async def test_the_lag_grows_while_redis_stands_still(redis: RedisServer) -> None:
    async with opened(redis.url, deaf_after=60) as bus:
        await until(lambda: bus.lag is not None)
        redis.pause()
        try:
            await until(lambda: (bus.lag or 0) > 0.5)
        finally:
            redis.resume()
        await until(lambda: (bus.lag or 0) < 0.5)


async def test_a_flush_takes_who_is_there_until_the_next_renewal(redis: RedisServer) -> None:
    rooms = {"channel:t/c": Attendance(2, frozenset({"ada"}))}
    async with opened(redis.url) as bus:
        await bus.attend("one", rooms, now=NOW)
        redis.command("FLUSHALL")
        assert (await bus.renew("one", rooms, now=NOW)).unknown == {"channel:t/c"}
        stated = await bus.attend("one", rooms, now=NOW)
        assert stated["channel:t/c"].crowd == Crowd(2, 1)


async def test_while_redis_is_away_presence_says_so(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        redis.kill()
        for question in (
            bus.attend("one", {"channel:t/c": Attendance()}, now=NOW),
            bus.renew("one", {}, now=NOW),
            bus.depart("one"),
            bus.standings(["channel:t/c"]),
            bus.channels("channel:t", now=NOW),
        ):
            with pytest.raises(Unavailable, match="Redis cannot be used right now") as told:
                await question
            assert str(redis.port) not in told.value.message


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    """Waits for what no signal tells."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - these are properties
            await asyncio.sleep(0.01)


async def heard(bus: Bus, reader: Reader, message: Message, seconds: float = 10) -> None:
    """Publishes a message again and again until the reader has it."""
    async with asyncio.timeout(seconds):
        while message not in reader.got:
            await bus.publish([message])
            await asyncio.sleep(0.02)


async def test_two_processes_hear_each_other(redis: RedisServer) -> None:
    async with opened(redis.url) as one, opened(redis.url) as two:
        reader = await Reader(two).follow("job:1")
        assert await one.wanted(["job:1", "job:2"]) == {"job:1"}
        await one.publish(told("job:1", *range(1_000)))
        assert await reader.read(1_000) == told("job:1", *range(1_000))
        await reader.subscriber.close()
        async with asyncio.timeout(10):
            while await one.wanted(["job:1"]):  # noqa: ASYNC110 - it is Redis that knows
                await asyncio.sleep(0.01)


async def test_topics_come_and_go_by_the_thousand(redis: RedisServer) -> None:
    names = [f"job:{n}" for n in range(2_500)]
    async with opened(redis.url) as bus:
        reader = await Reader(bus).follow(*names)
        assert await bus.wanted(names) == set(names)
        await reader.subscriber.remove(names[:-1])
        await bus.publish([*told(names[0], 1), *told(names[-1], 2)])
        assert await reader.read(1) == told(names[-1], 2)


async def test_a_killed_redis_costs_messages_and_nothing_else(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        reader = await Reader(bus).follow("job:1")
        post = await bus.post("channel:t/c", b"1", key=None, now=NOW)
        redis.kill()
        await until(lambda: bus.degraded)
        async with asyncio.timeout(5):
            for n in range(100):
                await bus.publish(told("job:1", n))
            late = await Reader(bus).follow("job:2")
        assert await bus.wanted(["job:1"]) == set()
        with pytest.raises(Unavailable, match="Redis cannot be used right now"):
            await bus.post("channel:t/c", b"2", key=None, now=NOW)
        redis.start()
        await until(lambda: not bus.degraded)
        await heard(bus, reader, Message("job:1", 1_000, b"back"))
        await heard(bus, late, Message("job:2", 1, b"back"))
        history = await bus.history("channel:t/c", after=1, epoch=post.epoch, now=NOW)
        assert not history.complete
        assert history.epoch != post.epoch


async def test_a_flushed_redis_has_another_epoch(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        reader = await Reader(bus).follow("channel:t/c")
        first = await bus.post("channel:t/c", b"1", key="k", now=NOW)
        redis.command("FLUSHALL")
        redis.command("SCRIPT", "FLUSH")
        again = await bus.post("channel:t/c", b"2", key="k", now=NOW)
        assert again.epoch != first.epoch
        assert again.offset == 1
        assert [message.body for message in await reader.read(2)] == [b"1", b"2"]


async def test_a_subscription_that_is_killed_comes_back(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        reader = await Reader(bus).follow("job:1")
        redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: bus.degraded)
        await until(lambda: not bus.degraded)
        await heard(bus, reader, Message("job:1", 1, b"again"))


async def test_a_redis_that_says_nothing_is_found_deaf(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        reader = await Reader(bus).follow("job:1")
        redis.pause()
        await until(lambda: bus.degraded)
        await bus.publish(told("job:1", 1))
        redis.resume()
        await until(lambda: not bus.degraded)
        await heard(bus, reader, Message("job:1", 2, b"again"))


async def test_without_redis_it_opens_and_is_degraded() -> None:
    async with opened("redis://127.0.0.1:1/0") as bus:
        assert bus.degraded == "Redis does not answer: events reach watchers late, by repair."
        await (await Reader(bus).follow("job:1")).subscriber.close()
        await bus.publish(told("job:1", 1))


async def test_a_password_is_used() -> None:
    server = RedisServer(password="s3cret").start()
    async with opened(server.url) as bus:
        reader = await Reader(bus).follow("job:1")
        await bus.publish(told("job:1", 1))
        assert await reader.read(1) == told("job:1", 1)
    async with opened(server.url.replace("s3cret", "wrong")) as bus:
        assert bus.degraded
    server.kill()


async def test_without_hints_nothing_is_heard(redis: RedisServer) -> None:
    async with opened(redis.url) as bus, opened(redis.url, hints=False) as mute:
        reader = await Reader(bus).follow("job:1")
        deaf = await Reader(mute).follow("job:1")
        await mute.publish(told("job:1", 1))
        await bus.publish(told("job:1", 2))
        assert await reader.read(1) == told("job:1", 2)
        assert deaf.got == []
        assert mute.degraded is None


async def test_what_is_no_message_of_ours_is_passed_over(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        reader = await Reader(bus).follow("job:1")
        redis.command("PUBLISH", "jobcast:job:1", "nonsense")
        redis.command("PUBLISH", "jobcast:job:1", "")
        await bus.publish(told("job:1", 1))
        assert await reader.read(1) == told("job:1", 1)


def remembered(redis: RedisServer) -> list[str]:
    """The keys of remembered jobs."""
    answer = redis.command("KEYS", "jobcast:seen:*").decode()
    return [line for line in answer.splitlines() if line.startswith("jobcast:seen:")]


def ttl(redis: RedisServer, key: str) -> int:
    return int(redis.command("TTL", key).decode().strip().removeprefix(":"))


async def test_a_job_is_remembered_by_all_processes(redis: RedisServer) -> None:
    async with opened(redis.url) as one, opened(redis.url) as two:
        await one.recall("1")
        await one.remember("1", 3, b"three", seconds=60)
        assert await two.recall("1") == b"three"
        await two.publish((), newest={"1": 4})
        assert await one.recall("1") is None


async def test_without_redis_nothing_is_remembered(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        await bus.recall("1")
        await bus.remember("1", 3, b"three", seconds=60)
        redis.kill()
        async with asyncio.timeout(10):
            assert await bus.recall("1") is None
            await bus.remember("1", 3, b"three", seconds=60)
            await bus.publish((), newest={"1": 4})


async def test_what_a_restarted_redis_has_read_back_is_asked_for_by_nobody(
    redis: RedisServer,
) -> None:
    async with opened(redis.url) as bus:
        await bus.recall("1")
        await bus.remember("1", 3, b"three", seconds=60)
        [old] = remembered(redis)
        redis.kill()
        redis.start()
        await until(lambda: not bus.degraded)
        redis.command("SET", old, "3:three")  # as if it had kept it on its disk
        async with asyncio.timeout(10):
            while (found := await bus.recall("1")) is None:
                await bus.remember("1", 4, b"four", seconds=60)
                await asyncio.sleep(0.01)  # it is left alone for a moment after it was away
        assert found == b"four"
        assert len(remembered(redis)) == 2


async def test_a_flushed_redis_is_filled_in_by_whoever_asks_anew(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        await bus.recall("1")
        redis.command("FLUSHALL")
        await bus.remember("1", 3, b"three", seconds=60)
        assert await bus.recall("1") is None
        await bus.remember("1", 3, b"three", seconds=60)
        assert await bus.recall("1") == b"three"


async def test_what_is_remembered_ends(redis: RedisServer) -> None:
    async with opened(redis.url) as bus:
        await bus.recall("1")
        await bus.remember("1", 3, b"three", seconds=300)
        [key] = remembered(redis)
        assert 290 < ttl(redis, key) <= 300
        await bus.publish((), newest={"1": 4})
        assert 50 < ttl(redis, key) <= 60
