"""Migrations: laid once, by whoever comes first, and the same as the schema in Python."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from tests.support.postgres_server import shared_server

from jobcast.domain.errors import Unavailable
from jobcast.store import migrating
from jobcast.store.migrating import check, head, migrate
from jobcast.store.postgres import PostgresStore
from jobcast.store.schema import metadata


async def test_many_processes_at_once_lay_the_schema_once(empty_postgres_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_postgres_url) for _ in range(8)))
    assert sorted(map(len, applied))[:7] == [0] * 7
    assert max(applied, key=len)[-1] == head()
    assert await migrate(empty_postgres_url) == []


async def test_the_tables_are_those_of_the_schema(postgres_url: str) -> None:
    def differences(conn: Connection) -> list[object]:
        context = MigrationContext.configure(
            conn,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: name != "jobcast_schema",
            },
        )
        return list(compare_metadata(context, metadata))

    store = PostgresStore(postgres_url)
    assert await store.read(differences) == []
    await store.close()


def _picture(conn: Connection) -> tuple[list[object], list[object]]:
    indexes = conn.execute(
        text(
            "SELECT tablename, indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename <> 'jobcast_schema' ORDER BY 1, 2"
        )
    )
    columns = conn.execute(
        text(
            "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default"
            " FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'jobcast_schema' ORDER BY 1, 2"
        )
    )
    return [tuple(row) for row in indexes], [tuple(row) for row in columns]


async def test_indexes_and_collations_are_those_of_the_schema(
    postgres_url: str, empty_postgres_url: str
) -> None:
    migrated, created = PostgresStore(postgres_url), PostgresStore(empty_postgres_url)
    await created.write(metadata.create_all)
    assert await migrated.read(_picture) == await created.read(_picture)
    await migrated.close()
    await created.close()


async def test_a_database_without_a_schema_says_what_to_do(empty_postgres_url: str) -> None:
    with pytest.raises(Unavailable, match="no Jobcast schema: run `jobcast migrate`"):
        await check(empty_postgres_url)
    await migrate(empty_postgres_url)
    await check(empty_postgres_url)


async def test_an_older_schema_says_what_to_do_and_a_newer_one_is_fine(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = head()
    monkeypatch.setattr(migrating, "_revisions", lambda: [ours, "9999"])
    with pytest.raises(Unavailable, match=rf"\({ours}\) is older than this release \(9999\)"):
        await check(postgres_url)
    monkeypatch.setattr(migrating, "_revisions", lambda: ["0000"])
    await check(postgres_url)
    assert await migrate(postgres_url) == []


async def test_a_database_that_is_away_is_said_in_a_sentence() -> None:
    with pytest.raises(Unavailable, match="The database cannot be used right now") as told:
        await migrate("postgresql://postgres@127.0.0.1:1/nothing")
    assert "127.0.0.1" in str(told.value)
    assert "127.0.0.1" not in told.value.message
    missing = shared_server().url.rpartition("/")[0] + "/not_there"
    with pytest.raises(Unavailable, match="not_there"):
        await check(missing)


async def test_an_older_schema_is_brought_up_and_gives_way_to_who_has_a_table(
    empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_WAIT", "50ms")
    monkeypatch.setattr(migrating, "AGAIN_AFTER", 0.01)
    await migrate(empty_postgres_url)
    reader = await asyncpg.connect(empty_postgres_url)
    await reader.execute("ALTER TABLE jobs DROP COLUMN traceparent")
    await reader.execute("UPDATE jobcast_schema SET version_num = '0001'")
    with pytest.raises(Unavailable, match=r"\(0001\) is older than this release"):
        await check(empty_postgres_url)
    async with reader.transaction():
        await reader.fetch("SELECT id FROM jobs")
        with pytest.raises(Unavailable, match="A long transaction holds a table"):
            await migrate(empty_postgres_url)
    await reader.close()
    assert await migrate(empty_postgres_url) == ["0002", "0003"]
    await check(empty_postgres_url)
