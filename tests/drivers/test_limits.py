"""Limits over one Redis: exact over two gateways, and strict when Redis goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.support.redis_server import RedisServer
from tests.support.whole_house import House, Person, house_of
from tests.unit.services.world import PASSWORD

from jobcast import App, Context
from jobcast.services.attempts import FREE


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer().start()
    yield server
    server.kill()


def app() -> App:
    made = App()

    @made.job("work")
    async def work(ctx: Context, payload: dict[str, Any]) -> None:
        return None

    return made


@asynccontextmanager
async def two_gateways(
    folder: Path, redis: RedisServer, url: str, **limits: int
) -> AsyncIterator[tuple[House, House]]:
    async with AsyncExitStack() as stack:
        houses = [
            await stack.enter_async_context(
                house_of(app(), folder / name, database_url=url, redis_url=redis.url, **limits)
            )
            for name in ("one", "two")
        ]
        yield houses[0], houses[1]


async def statuses(
    houses: tuple[House, House], times: int, method: str, path: str, **more: Any
) -> list[int]:
    """What so many requests at once get, in turns on either gateway."""
    answers = await asyncio.gather(*(houses[n % 2](method, path, **more) for n in range(times)))
    return [answer.status_code for answer in answers]


async def test_of_two_hundred_submissions_of_a_user_on_two_gateways_exactly_ten_pass(
    postgres_url: str, redis: RedisServer, tmp_path: Path
) -> None:
    async with two_gateways(tmp_path, redis, postgres_url) as houses:
        person: Person = await houses[0].person()
        job = {"type": "work", "delayMs": 60_000}

        got = await statuses(houses, 200, "POST", "/api/jobs", body=job, headers=person.bearer)

        assert (got.count(201), got.count(429)) == (10, 190)


async def test_of_two_hundred_submissions_by_key_exactly_the_limit_pass(
    postgres_url: str, redis: RedisServer, tmp_path: Path
) -> None:
    async with two_gateways(tmp_path, redis, postgres_url, key_rate_limit=120) as houses:
        job = {"type": "work", "delayMs": 60_000}

        got = await statuses(houses, 200, "POST", "/api/jobs", body=job, key=houses[0].key)

        assert (got.count(201), got.count(429)) == (120, 80)
        async with Redis.from_url(redis.url) as client:
            kept = [bytes(name) async for name in client.scan_iter()]
        assert kept
        assert [name for name in kept if not name.startswith(b"jobcast:")] == []


async def test_of_two_hundred_reads_exactly_the_limit_pass(
    postgres_url: str, redis: RedisServer, tmp_path: Path
) -> None:
    async with two_gateways(tmp_path, redis, postgres_url, read_rate_limit=60) as houses:
        person = await houses[0].person()

        got = await statuses(houses, 200, "GET", "/api/auth/me", headers=person.bearer)
        strange = await statuses(houses, 200, "GET", "/api/auth/me", headers={})

        assert (got.count(200), got.count(429)) == (60, 140)
        assert (strange.count(401), strange.count(429)) == (60, 140)


async def test_wrong_passwords_count_on_all_gateways_and_go_on_when_redis_dies(
    postgres_url: str, redis: RedisServer, tmp_path: Path
) -> None:
    wrong = {"email": "ada@example.com", "password": "wrong horse"}
    async with two_gateways(tmp_path, redis, postgres_url) as houses:
        one, two = houses
        ada = {"email": "ada@example.com", "password": PASSWORD}
        assert (await one("POST", "/api/auth/register", ada)).status_code == 201
        for house in (one, two, one, two, one)[:FREE]:
            assert (await house("POST", "/api/auth/login", wrong)).status_code == 401
        shared = await two("POST", "/api/auth/login", ada)
        redis.kill()

        answers = [await one("POST", "/api/auth/login", wrong) for _ in range(FREE)]

        assert shared.status_code == 429
        # Three of the five were seen here: two more are free, then there is a wait.
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429, 429]


async def test_a_user_gets_no_fresh_budget_when_redis_dies(
    postgres_url: str, redis: RedisServer, tmp_path: Path
) -> None:
    async with two_gateways(tmp_path, redis, postgres_url) as houses:
        person = await houses[0].person()
        job = {"type": "work", "delayMs": 60_000}
        more: dict[str, Any] = {"body": job, "headers": person.bearer}
        for _ in range(8):
            assert (await houses[0]("POST", "/api/jobs", **more)).status_code == 201
        redis.kill()

        got = [(await houses[0]("POST", "/api/jobs", **more)).status_code for _ in range(4)]

        assert got == [201, 201, 429, 429]
