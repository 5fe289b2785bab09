"""How a connection to PostgreSQL is made: directly, or through PgBouncer.

A pooler in transaction mode gives each transaction whichever connection is free. So nothing may
outlive one: no named statement, no setting of the session. `?pgbouncer=true` in the DSN says so.
"""

from typing import Any, Final

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

WAIT_SECONDS: Final = 10.0
"""How long a caller waits for a connection."""

ANSWER_SECONDS: Final = 30.0
"""How long a statement may take: whoever waits for a database that has gone silent learns it."""

SERVER_SETTINGS: Final = {"application_name": "jobcast", "jit": "off", "enable_seqscan": "off"}
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


def engine(url: str, **options: Any) -> AsyncEngine:
    """An engine on the database at `url`; `options` are SQLAlchemy's."""
    arguments = _arguments(url)
    if _pooled(url):
        # SQLAlchemy names each statement: the empty name is the one that needs no end.
        arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    return create_async_engine(address(url), connect_args=arguments, **options)


async def connect(url: str, *, command_timeout: float = WAIT_SECONDS) -> Any:
    """A connection of its own, of asyncpg's."""
    dsn = address(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return await asyncpg.connect(dsn, **{**_arguments(url), "command_timeout": command_timeout})


def _arguments(url: str) -> dict[str, Any]:
    waits = {"timeout": WAIT_SECONDS, "command_timeout": ANSWER_SECONDS}
    if _pooled(url):
        return {**waits, "statement_cache_size": 0}
    return {**waits, "server_settings": SERVER_SETTINGS}


def _pooled(url: str) -> bool:
    return str(make_url(url).query.get(_FLAG, "")).lower() in ("1", "true", "yes", "on")
