"""The PostgreSQL driver beside the pure lifecycle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from hypothesis import settings
from tests.suites.lifecycle_machine import LifecycleMachine

from jobcast.runtime.clock import FakeClock
from jobcast.store.base import Store
from jobcast.store.postgres import PostgresStore
from jobcast.store.schema import metadata


@asynccontextmanager
async def emptied(url: str, clock: FakeClock) -> AsyncIterator[Store]:
    store = PostgresStore(url, clock=clock, hold_off=False)
    await store.open()
    for table in reversed(metadata.sorted_tables):
        await store.write(lambda conn, table=table: conn.execute(table.delete()))  # type: ignore[misc]
    try:
        yield store
    finally:
        await store.close()


class PostgresMachine(LifecycleMachine):
    """Whatever is done to it, PostgreSQL's store keeps to the lifecycle."""

    url = ""

    def opened(self, clock: FakeClock) -> AbstractAsyncContextManager[Store]:
        return emptied(self.url, clock)


TestPostgresMachine = PostgresMachine.TestCase
TestPostgresMachine.settings = settings(max_examples=40, stateful_step_count=40)


@pytest.fixture(autouse=True)
def _database(postgres_url: str) -> None:
    PostgresMachine.url = postgres_url
