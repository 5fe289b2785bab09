"""The SQLite driver beside the pure lifecycle."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from hypothesis import settings
from tests.suites.lifecycle_machine import LifecycleMachine

from jobcast.runtime.clock import FakeClock
from jobcast.store.base import Store
from jobcast.store.sqlite import SqliteStore


@asynccontextmanager
async def temporary(clock: FakeClock) -> AsyncIterator[Store]:
    with tempfile.TemporaryDirectory(prefix="jobcast-machine-") as folder:
        store = SqliteStore(Path(folder), clock=clock)
        await store.open()
        try:
            yield store
        finally:
            await store.close()


class SqliteMachine(LifecycleMachine):
    """Whatever is done to it, SQLite's store keeps to the lifecycle."""

    def opened(self, clock: FakeClock) -> AbstractAsyncContextManager[Store]:
        return temporary(clock)


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=60, stateful_step_count=50)
