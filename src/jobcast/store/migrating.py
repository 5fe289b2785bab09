"""Laying and checking the schema of a PostgreSQL database."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from jobcast.domain.errors import Unavailable
from jobcast.store.postgres.connecting import engine
from jobcast.store.postgres.pool import cause_of, speaking

OLDEST_SERVER: Final = 140_000
"""PostgreSQL 14, as `server_version_num` says it."""

LOCK_WAIT: Final = "3s"
"""How long a step waits for a table: whoever comes after it waits as well, so it gives way to a
long transaction, and is tried again."""

TRIES: Final = 5
AGAIN_AFTER: Final = 1.0
"""Seconds."""

_LOCK: Final = 7_205_762_307_100_001
"""The advisory lock under which one process migrates while the others wait."""

_VERSIONS: Final = {"version_table": "jobcast_schema"}


async def migrate(url: str) -> list[str]:
    """Brings the schema up to this release; the revisions that were applied, oldest first.

    Safe from many processes at once: one works, the others wait and find it done. All steps are
    one transaction. Raises Unavailable when the database can't be reached or is too old, or when
    somebody else's transaction does not let go of a table.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return await _migrate(url)
        except DBAPIError as problem:
            if not isinstance(cause_of(problem), asyncpg.LockNotAvailableError):
                raise
        if attempt < TRIES:
            await asyncio.sleep(AGAIN_AFTER)
    raise Unavailable(
        "A long transaction holds a table that `jobcast migrate` has to change: run it again when "
        "that has ended (pg_stat_activity shows it)."
    )


async def _migrate(url: str) -> list[str]:
    with speaking():
        database = engine(url, poolclass=NullPool)
        try:
            async with database.begin() as conn:
                return await conn.run_sync(_upgrade)
        finally:
            await database.dispose()


async def check(url: str) -> None:
    """Raises Unavailable with what to do when the schema is not there or behind this release.

    One that is ahead is fine: it runs the code of the release before.
    """
    with speaking():
        database = engine(url, poolclass=NullPool)
        try:
            async with database.connect() as conn:
                current = await conn.run_sync(_current)
        finally:
            await database.dispose()
    if current is None:
        raise Unavailable("The database has no Jobcast schema: run `jobcast migrate`.")
    if current in _behind():
        raise Unavailable(
            f"The database's schema ({current}) is older than this release ({head()}): "
            "run `jobcast migrate`."
        )


def head() -> str:
    """The newest revision that this release knows."""
    return _revisions()[-1]


@cache
def _revisions() -> list[str]:
    return [step.revision for step in reversed(list(_script().walk_revisions()))]


def _behind() -> list[str]:
    return _revisions()[:-1]


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(conn: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    return config


def _current(conn: Connection) -> str | None:
    revision = MigrationContext.configure(conn, opts=_VERSIONS).get_current_revision()
    return None if revision is None else str(revision)


def _upgrade(conn: Connection) -> list[str]:
    server = int(conn.scalar(text("SHOW server_version_num")) or 0)
    if server < OLDEST_SERVER:
        raise Unavailable("Jobcast needs PostgreSQL 14 or newer.")
    conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    before = _current(conn)
    known = _revisions()
    if before is not None and before not in known:
        return []  # a newer release has been here
    conn.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": LOCK_WAIT})
    command.upgrade(_config(conn), "head")
    return known if before is None else known[known.index(before) + 1 :]
