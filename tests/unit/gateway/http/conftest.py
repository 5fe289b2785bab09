"""An API over accounts in memory, and a client that calls it."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.gateway.http.caller import Caller, app_over
from tests.unit.services.conftest import clock, database, world
from tests.unit.services.world import World

__all__ = ["clock", "database", "world"]


@pytest.fixture
async def caller(world: World) -> AsyncIterator[Caller]:
    async with Caller(app_over(world)) as made:
        yield made
