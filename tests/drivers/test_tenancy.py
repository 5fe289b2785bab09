"""The walk over all routes and commands, on both sets of drivers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.suites.tenancy.routes import foreign_calls, known
from tests.suites.tenancy.sides import app, unknown
from tests.suites.tenancy.walk import TenancySuite
from tests.support.redis_server import RedisServer
from tests.support.whole_house import House, house_of, root_of, served


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
    """A house whose limits are out of the way, and whose webhooks are tried once."""
    given = {"rate_limit": 1_000_000, "key_rate_limit": 1_000_000, "webhook_schedule": (0,)}
    async with (
        house_of(app(), tmp_path, **given, **drivers) as made,
        served(root_of(made), made.settings) as made.address,
    ):
        yield made


class TestTenancy(TenancySuite):
    """Both sets of drivers."""


@pytest.mark.parametrize(
    ("method", "template", "parameters"),
    [
        ("post", "/api/new-things", []),
        ("get", "/api/new-things", [{"in": "query", "name": "newThing"}]),
        ("get", "/api/new-things/{id}", []),
    ],
)
def test_what_the_walk_does_not_know_fails_it(
    method: str, template: str, parameters: list[dict[str, str]]
) -> None:
    document = {"paths": {template: {method: {"parameters": parameters}}}}

    with pytest.raises(AssertionError, match="the walk does not know"):
        for route, operation in known(document):
            list(foreign_calls(route, operation, unknown(), unknown()))
