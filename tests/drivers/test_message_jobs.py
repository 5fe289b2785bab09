"""Messages that become jobs: on SQLite and memory, on PostgreSQL and Redis."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.suites.message_jobs import MessageJobsSuite, Stage
from tests.support.redis_server import shared_redis

from jobcast.bus.memory import MemoryBus
from jobcast.bus.redis import RedisBus
from jobcast.runtime.clock import FakeClock
from jobcast.store.postgres import PostgresStore
from jobcast.store.sqlite import SqliteStore

_numbers = itertools.count()


class TestMessageJobsInOneProcess(MessageJobsSuite):
    """SQLite and the bus in memory."""

    @pytest.fixture
    async def stage(self, tmp_path: Path) -> AsyncIterator[Stage]:
        clock = FakeClock()
        store = SqliteStore(tmp_path, clock=clock)
        await store.open()
        stage = Stage(store, MemoryBus(), clock, tmp_path)
        await stage.open()
        yield stage
        await store.close()


class TestMessageJobsOnManyMachines(MessageJobsSuite):
    """PostgreSQL and Redis."""

    @pytest.fixture
    async def stage(self, tmp_path: Path, postgres_url: str) -> AsyncIterator[Stage]:
        clock = FakeClock()
        store = PostgresStore(postgres_url, clock=clock)
        await store.open()
        bus = RedisBus(shared_redis().url, prefix=f"messages{next(_numbers)}:")
        await bus.open()
        stage = Stage(store, bus, clock, tmp_path)
        await stage.open()
        yield stage
        await stage.announcer.drained()
        await bus.close()
        await store.close()
