"""What the tests of accounts stand on: a database in memory, a clock that stands still."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.unit.services.database import Database
from tests.unit.services.world import World, settings

from jobcast.runtime.clock import FakeClock


@pytest.fixture
def database() -> Iterator[Database]:
    made = Database()
    yield made
    made.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that the `limits` library reads too."""
    made = FakeClock()
    watch = type("Time", (), {"time": staticmethod(lambda: made.now() / 1000)})
    monkeypatch.setattr("limits.aio.storage.memory.time", watch)
    monkeypatch.setattr("limits.aio.strategies.time", watch)
    return made


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[World]:
    made = World(database, clock, settings())
    yield made
    await made.close()
