"""`jobcast.submit` in the user's own transaction, on each kind of connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from tests.suites.workbench import Bench

import jobcast
from jobcast.domain.errors import Conflict, InvalidRequest, UnknownJobType
from jobcast.domain.job import State
from jobcast.runtime.clock import FakeClock
from jobcast.store.base import TypeInfo
from jobcast.store.postgres import PostgresStore

Open = Callable[[str], AbstractAsyncContextManager[Any]]


class Undo(Exception):
    """Rolls back."""


@asynccontextmanager
async def with_asyncpg(url: str) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(url)
    try:
        async with conn.transaction():
            yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def with_psycopg(url: str) -> AsyncIterator[Any]:
    with psycopg.connect(url) as conn:
        yield conn


@asynccontextmanager
async def with_async_psycopg(url: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(url) as conn:
        yield conn


@asynccontextmanager
async def with_sqlalchemy(url: str) -> AsyncIterator[Any]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as conn:
            yield conn
    finally:
        engine.dispose()


@asynccontextmanager
async def with_async_sqlalchemy(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    try:
        async with engine.begin() as conn:
            yield conn
    finally:
        await engine.dispose()


KINDS = [with_asyncpg, with_psycopg, with_async_psycopg, with_sqlalchemy, with_async_sqlalchemy]


@pytest.fixture
async def bench(postgres_url: str) -> AsyncIterator[Bench]:
    store = PostgresStore(postgres_url)
    await store.open()
    yield Bench(store, FakeClock())
    await store.close()


@pytest.mark.parametrize("open_", KINDS, ids=lambda kind: kind.__name__)
async def test_a_job_is_there_when_the_transaction_commits(
    open_: Open, postgres_url: str, bench: Bench
) -> None:
    async with open_(postgres_url) as conn:
        job = await jobcast.submit(
            "work",
            {"n": 1, "text": "100% ä"},
            tenant="acme",
            tags=["a", "b"],
            unique_key="k",
            idempotency_key="i",
            connection=conn,
        )
        assert await bench.find(job.id) is None
    stored = await bench.stored(job.id)
    assert (stored.tenant_id, stored.state, stored.payload) == (
        "acme",
        State.READY,
        '{"n":1,"text":"100% ä"}',
    )
    assert await bench.story(job.id) == ["pending"]
    assert await bench.tagged("a") == [job.id]
    assert [claimed.id for claimed in await bench.claim()] == [job.id]


@pytest.mark.parametrize("open_", KINDS, ids=lambda kind: kind.__name__)
async def test_a_job_is_not_there_when_the_transaction_is_rolled_back(
    open_: Open, postgres_url: str, bench: Bench
) -> None:
    with pytest.raises(Undo):
        async with open_(postgres_url) as conn:
            await jobcast.submit("work", connection=conn)
            raise Undo
    assert await bench.count() == 0


@pytest.mark.parametrize("open_", KINDS, ids=lambda kind: kind.__name__)
async def test_keys_answer_with_the_job_that_is_there(
    open_: Open, postgres_url: str, bench: Bench
) -> None:
    async with open_(postgres_url) as conn:
        one = await jobcast.submit("work", unique_key="k", connection=conn)
        assert (await jobcast.submit("work", unique_key="k", connection=conn)).id == one.id
        two = await jobcast.submit("work", {"a": 1}, idempotency_key="i", connection=conn)
    async with open_(postgres_url) as conn:
        assert (await jobcast.submit("work", unique_key="k", connection=conn)).id == one.id
        again = await jobcast.submit("work", {"a": 1}, idempotency_key="i", connection=conn)
        assert again.id == two.id
        with pytest.raises(Conflict):
            await jobcast.submit("work", {"a": 2}, idempotency_key="i", connection=conn)
    assert await bench.count() == 2


async def test_the_type_is_checked_at_the_door(postgres_url: str, bench: Bench) -> None:
    schema = '{"type":"object","required":["url"]}'
    info = TypeInfo("work", "media", 7, 1_000, None, schema)
    await bench.store.register_types(await bench.session("s"), [info])
    async with with_asyncpg(postgres_url) as conn:
        with pytest.raises(InvalidRequest) as refusal:
            await jobcast.submit("work", {}, connection=conn)
        assert refusal.value.fields == {"payload.url": ["Required"]}
        with pytest.raises(UnknownJobType):
            await jobcast.submit("other", connection=conn)
        job = await jobcast.submit("work", {"url": "x"}, connection=conn)
    assert (job.queue, job.max_attempts, job.timeout_ms) == ("media", 7, 1_000)


async def test_what_is_no_connection_is_said(postgres_url: str) -> None:
    with pytest.raises(TypeError, match="asyncpg, psycopg 3 or SQLAlchemy to PostgreSQL, not"):
        await jobcast.submit("work", connection=object())
    with (
        create_engine("sqlite://").connect() as conn,
        pytest.raises(TypeError, match="SQLAlchemy to PostgreSQL"),
    ):
        await jobcast.submit("work", connection=conn)
