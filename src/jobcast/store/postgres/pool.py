"""The connections of a process: asyncpg's own for hot statements, SQLAlchemy's for cold SQL, and
the errors of both in our words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

import asyncpg
import msgspec
import structlog
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from jobcast.domain.errors import InvalidRequest, Unavailable
from jobcast.store.postgres.connecting import POOLED, SAY_SO, WAIT_SECONDS, engine, hot_pool

T = TypeVar("T")
log: Final = structlog.get_logger("jobcast.store")

Raw = Any
"""An asyncpg connection, or what asyncpg's pool hands out in its place."""

HOT: Final = 6
COLD: Final = 4
"""Connections of one process at most, ten in all; batches share them, so few are enough."""

CLOSES_WITHIN: Final = 5.0
"""Seconds until a connection that does not close is dropped."""

TRIES: Final = 5
"""How often a transaction is begun anew that lost against another one."""

UNFIT: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    UnicodeEncodeError,
    msgspec.MsgspecError,
    OverflowError,
    RecursionError,
)
"""What one item raises that can't be stored. All else is the database's trouble, or a bug."""

_CUT_OFF: Final = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LOST_RACE: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_AWAY: Final = (
    *POOLED,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # no connection left, the disk full, no memory
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    OSError,
    TimeoutError,
    PoolTimeout,
    DisconnectionError,
)


class Pool:
    """Connections to one database, made when they are needed.

    What is raised when the database is away, or stays busy for too long, is Unavailable. Whether
    a change that was under way then took effect is not known.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._hot: Raw | None = None
        self._engine = engine(url, pool_size=COLD, max_overflow=0, pool_timeout=WAIT_SECONDS)
        event.listen(self._engine.sync_engine, "checkout", _alive)

    async def close(self) -> None:
        """Closes every connection."""
        await self._engine.dispose()
        hot, self._hot = self._hot, None
        if hot is not None:
            try:
                async with asyncio.timeout(CLOSES_WITHIN):
                    await hot.close()
            except (*_AWAY, asyncpg.PostgresError):
                hot.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Raw]:
        """A connection of asyncpg's, on which each statement commits by itself."""
        with speaking():
            if self._hot is None:
                self._hot = await hot_pool(self._url, size=HOT)  # connects to nothing yet
            async with self._hot.acquire(timeout=WAIT_SECONDS) as raw:
                try:
                    yield raw
                except BaseException as problem:
                    # What is under way on it is not to be found by the next. After an answer of
                    # the server's, and a refusal of ours, nothing is.
                    if not isinstance(problem, Exception) or isinstance(problem, _CUT_OFF):
                        raw.terminate()
                    raise

    async def run(self, work: Callable[[Raw], Awaitable[T]]) -> T:
        """Does a piece of work in a transaction; anew when it lost a race against another one."""

        async def whole(raw: Raw) -> T:
            async with raw.transaction():
                return await work(raw)

        return await self.alone(whole)

    async def alone(self, work: Callable[[Raw], Awaitable[T]]) -> T:
        """As `run`, a piece of work that is one statement, and commits by itself."""
        for attempt in range(1, TRIES + 1):
            try:
                async with self.connection() as raw:
                    return await work(raw)
            except _LOST_RACE as race:
                if attempt == TRIES:
                    raise Unavailable("The database is too busy: try again.") from race
            log.info("transaction begun anew", attempt=attempt)
        raise AssertionError("unreachable")

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs a cold query on one snapshot."""
        return await self._cold(query, isolation_level="REPEATABLE READ", postgresql_readonly=True)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Runs a cold change in a transaction of its own."""
        for attempt in range(1, TRIES + 1):
            try:
                return await self._cold(change)
            except DBAPIError as problem:
                race = isinstance(cause_of(problem), _LOST_RACE)
                if not race:
                    raise
                if attempt == TRIES:
                    raise Unavailable("The database is too busy: try again.") from problem
        raise AssertionError("unreachable")

    async def _cold(self, work: Callable[[Connection], T], **options: Any) -> T:
        with speaking():
            async with self._engine.connect() as conn:
                if options:
                    await conn.execution_options(**options)
                async with conn.begin():
                    return await _run_sync(conn, work)


async def _run_sync(conn: AsyncConnection, work: Callable[[Connection], T]) -> T:
    return await conn.run_sync(work)


@contextmanager
def speaking() -> Iterator[None]:
    """Says in our words that the database is away."""
    try:
        yield
    except _AWAY as problem:
        raise away(problem) from problem
    except DBAPIError as problem:
        cause = cause_of(problem)
        if problem.connection_invalidated or isinstance(cause, _AWAY):
            raise away(cause or problem) from problem
        if isinstance(cause, asyncpg.CharacterNotInRepertoireError):
            raise InvalidRequest("Text can't hold the character U+0000.") from problem
        raise


def away(problem: BaseException) -> Unavailable:
    """The sentence for a database that can't be used now."""
    said = " ".join(str(problem).split()) or type(problem).__name__
    if isinstance(problem, POOLED):
        return Unavailable(f"{SAY_SO} ({said}).")
    return Unavailable("The database cannot be used right now: try again.", detail=said)


def cause_of(problem: DBAPIError) -> BaseException | None:
    """asyncpg's own error behind one of SQLAlchemy's."""
    original = problem.orig
    return None if original is None else original.__cause__


def _alive(dbapi: Any, record: object, proxy: object) -> None:
    """A connection whose socket has closed meanwhile is replaced, not handed out."""
    if dbapi.driver_connection.is_closed():
        raise DisconnectionError
