"""How a connection to PostgreSQL is made: directly, or through PgBouncer.

A pooler in transaction mode gives each transaction whichever connection is free. So nothing may
outlive one: no named statement, no setting of the session. `?pgbouncer=true` in the DSN says so.
"""

import sys
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

WAIT_SECONDS: Final = 10.0
"""How long a caller waits for a connection."""

ANSWER_SECONDS: Final = 30.0
"""How long a statement may take: whoever waits for a database that has gone silent learns it."""

FROZEN_AFTER_MS: Final = 5_000
"""How long a transaction may stand still. A process that was frozen in one would hold its locks,
and so keep others from claiming, long after its lease has run out."""

SERVER_SETTINGS: Final = {
    "application_name": "jobcast",
    "jit": "off",
    "enable_seqscan": "off",
    "idle_in_transaction_session_timeout": str(FROZEN_AFTER_MS),
}
"""Compiling a statement takes longer than any of ours runs. And each has an index to go by, which
the planner of a young database, without statistics, does not know to be better."""

SAY_SO: Final = (
    "A pooler such as PgBouncer stands before the database: add ?pgbouncer=true to DATABASE_URL"
)

POOLED: Final = (
    asyncpg.ProtocolViolationError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)
"""What one meets who does not say so."""

_FLAG: Final = "pgbouncer"


def address(url: str) -> URL:
    """A DSN as SQLAlchemy wants it."""
    parsed = make_url(url).set(drivername="postgresql+asyncpg")
    return parsed.difference_update_query([_FLAG])


def hot_pool(url: str, *, size: int) -> Any:
    """Connections of asyncpg's for the hot statements, made when they are needed and kept.

    Their plans are made once and for any values: the tests hold each on its index that way too.
    """
    arguments = _arguments(url)
    if not _pooled(url):
        arguments["server_settings"] = {**SERVER_SETTINGS, "plan_cache_mode": "force_generic_plan"}
    return asyncpg.create_pool(
        _dsn(url),
        min_size=0,
        max_size=size,
        max_queries=sys.maxsize,
        max_inactive_connection_lifetime=0,
        reset=_as_it_is,
        **arguments,
    )


async def _as_it_is(connection: Any) -> None:
    """No statement of ours leaves anything behind in its session: what failed is closed."""


def engine(url: str, **options: Any) -> AsyncEngine:
    """An engine on the database at `url`; `options` are SQLAlchemy's."""
    arguments = _arguments(url)
    if _pooled(url):
        # SQLAlchemy names each statement: the empty name is the one that needs no end.
        arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    return create_async_engine(address(url), connect_args=arguments, **options)


async def connect(url: str, *, command_timeout: float = WAIT_SECONDS) -> Any:
    """A connection of its own, of asyncpg's."""
    return await asyncpg.connect(
        _dsn(url), **{**_arguments(url), "command_timeout": command_timeout}
    )


def _dsn(url: str) -> str:
    return address(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _arguments(url: str) -> dict[str, Any]:
    waits = {"timeout": WAIT_SECONDS, "command_timeout": ANSWER_SECONDS}
    if _pooled(url):
        return {**waits, "statement_cache_size": 0}
    return {**waits, "server_settings": SERVER_SETTINGS}


def _pooled(url: str) -> bool:
    return str(make_url(url).query.get(_FLAG, "")).lower() in ("1", "true", "yes", "on")
