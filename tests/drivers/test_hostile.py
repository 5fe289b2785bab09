"""Hostile requests, on both sets of drivers: what PostgreSQL refuses, SQLite often takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.suites.hostile import HostileSuite
from tests.suites.tenancy.sides import app
from tests.support.redis_server import RedisServer
from tests.support.whole_house import House, house_of


@pytest.fixture(params=["sqlite and memory", "postgres and redis"])
def drivers(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The settings of each set."""
    if request.param == "sqlite and memory":
        yield {}
        return
    redis = RedisServer().start()
    yield {"database_url": request.getfixturevalue("postgres_url"), "redis_url": redis.url}
    redis.kill()


@pytest.fixture
async def house(drivers: dict[str, Any], tmp_path: Path) -> AsyncIterator[House]:
    given = {"rate_limit": 1_000_000, "key_rate_limit": 1_000_000, "read_rate_limit": 10_000_000}
    async with house_of(app(), tmp_path, **given, **drivers) as made:
        yield made


class TestHostile(HostileSuite):
    """Both sets of drivers."""
