"""Two gateways on one database: what ends on one closes its sockets on the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.redis_server import RedisServer
from tests.support.talk import Talk, member
from tests.support.whole_house import House, Person, data, eventually, house_of, root_of, served

from jobcast import App
from jobcast.domain.access import ALL_SCOPES

PROMISED = 2.0
"""Seconds, by the contract."""

BUSY = 1.0
"""What a busy machine may add."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer().start()
    yield server
    server.kill()


@asynccontextmanager
async def two_gateways(folder: Path, **changes: Any) -> AsyncIterator[tuple[House, House]]:
    async with AsyncExitStack() as stack:
        houses = []
        for name in ("one", "two"):
            house = await stack.enter_async_context(house_of(App(), folder / name, **changes))
            house.address = await stack.enter_async_context(served(root_of(house), house.settings))
            houses.append(house)
        yield houses[0], houses[1]


async def log_out(house: House, person: Person) -> float:
    began = time.monotonic()
    body = {"refreshToken": person.tokens.refresh_token}
    answer = await house("POST", "/api/auth/logout", body, headers={})
    assert answer.status_code == 200
    return began


async def closed_in_time(client: Talk, began: float, reason: str) -> float:
    async with asyncio.timeout(20):
        assert await client.closed() == (1008, reason)
    taken = time.monotonic() - began
    assert taken < PROMISED + BUSY
    return taken


@pytest.mark.parametrize("bus", ["well", "silent", "dead"])
async def test_a_logout_closes_the_sockets_of_that_login_on_the_other_gateway(
    postgres_url: str, redis: RedisServer, tmp_path: Path, bus: str
) -> None:
    changes = {"database_url": postgres_url, "redis_url": redis.url, "hints": bus != "silent"}
    async with two_gateways(tmp_path, **changes) as (one, two):
        person, other = await one.person(), await one.person()
        async with (
            member(two.address, person.bearer) as client,
            member(two.address, other.bearer) as stranger,
        ):
            if bus == "dead":
                redis.kill()
                await eventually(lambda: two.home.gateway.readiness.degraded != set())

            await closed_in_time(client, await log_out(one, person), "This login has ended")

            assert (await stranger.ask("ping"))["type"] == "pong"
            me = await two("GET", "/api/auth/me", headers=person.bearer)
            assert me.status_code == 401


async def test_a_key_that_is_revoked_on_one_gateway_is_shut_out_on_the_other(
    postgres_url: str, redis: RedisServer, tmp_path: Path
) -> None:
    changes = {"database_url": postgres_url, "redis_url": redis.url}
    async with two_gateways(tmp_path, **changes) as (one, two):
        admin, doomed = await one.new_key("acme", *ALL_SCOPES), await one.new_key()
        async with member(two.address, doomed.headers) as client:
            began = time.monotonic()
            answer = await one("DELETE", f"/api/api-keys/{doomed.id}", key=admin)
            assert data(answer) is None

            await closed_in_time(client, began, "This API key was revoked")

            again = await two("GET", "/api/auth/me", key=doomed)
            assert again.json()["message"] == "API key revoked"
