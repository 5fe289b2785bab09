"""`jobcast verify`: the truths of a live database, looked at on one snapshot."""

import sqlite3
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from jobcast.compose.patience import patiently
from jobcast.domain.errors import Unavailable
from jobcast.runtime.clock import SystemClock
from jobcast.settings import Settings, SettingsError
from jobcast.store.migrating import check
from jobcast.store.postgres.connecting import engine
from jobcast.store.postgres.pool import speaking
from jobcast.store.sqlite.upgrading import require_latest
from jobcast.store.verifying import Finding, verify

__all__ = ["Finding", "verify_database"]

_CLOCK = "SELECT (extract(epoch FROM statement_timestamp()) * 1000)::bigint"


async def verify_database(settings: Settings, *, limit: int) -> list[Finding]:
    """Every truth with what breaks it, up to `limit` examples each. Changes nothing.

    A running `jobcast dev` may go on meanwhile: SQLite's file is opened to read alone.
    Raises SettingsError where there is no database of Jobcast, and OutOfReach as a start does.
    """
    url = settings.database_url
    try:
        if url is None:
            return _verify_file(settings.data_dir / "jobcast.db", limit=limit)
        await patiently(lambda: check(url), url)
        return await _verify_postgres(url, limit=limit)
    except Unavailable as problem:
        raise SettingsError([problem.message]) from problem


async def _verify_postgres(url: str, *, limit: int) -> list[Finding]:
    with speaking():
        database = engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
        try:
            async with database.connect() as conn:
                await conn.execution_options(postgresql_readonly=True)
                now = int(await conn.scalar(text(_CLOCK)) or 0)
                return await conn.run_sync(lambda sync: list(verify(sync, now=now, limit=limit)))
        finally:
            await database.dispose()


def _verify_file(path: Path, *, limit: int) -> list[Finding]:
    if not path.exists():
        raise SettingsError(
            [f"There is no Jobcast database in {path.parent}: name the folder with --data-dir."]
        )
    readable = f"{path.resolve().as_uri()}?mode=ro"
    file = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(readable, uri=True),
        poolclass=NullPool,
    )
    with file.connect() as conn:
        conn.exec_driver_sql("BEGIN")
        driver = conn.connection.driver_connection
        assert driver is not None
        require_latest(driver)
        return list(verify(conn, now=SystemClock().now(), limit=limit))
