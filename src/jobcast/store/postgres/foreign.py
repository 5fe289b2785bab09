"""A connection of the user's own, spoken to as if it were one of asyncpg's.

asyncpg, psycopg 3 and SQLAlchemy (on either), sync or async: whatever its transaction becomes, our
statements share its fate. Nothing here commits or rolls back.
"""

import inspect
import re
from collections.abc import Awaitable, Sequence
from typing import Any, Final, Protocol

_PLACE: Final = re.compile(r"\$(\d+)")


class Foreign(Protocol):
    """What our statements need of a connection; places in them are `$1`, `$2` …"""

    async def fetch(self, statement: str, *values: Any) -> Sequence[Any]:
        """The rows of the answer, by name and by place."""

    async def execute(self, statement: str, *values: Any) -> Any:
        """Runs a statement without an answer."""


def speak(connection: Any) -> Foreign:
    """The connection as we speak to it.

    Raises TypeError for what is none, or none of PostgreSQL.
    """
    kind = type(connection)
    room = kind.__module__.partition(".")[0]
    if room == "asyncpg":
        return connection  # type: ignore[no-any-return]
    if room == "psycopg" and hasattr(connection, "cursor"):
        return _Psycopg(connection)
    if room == "sqlalchemy":
        driver = getattr(connection, "dialect", None)
        if driver is not None and driver.name == "postgresql":
            return _Alchemy(connection, numeric=driver.paramstyle == "numeric_dollar")
        if hasattr(connection, "connection") and callable(connection.connection):
            raise TypeError("Give the connection of the session: await session.connection().")
    raise TypeError(
        "connection must be one of asyncpg, psycopg 3 or SQLAlchemy to PostgreSQL, "
        f"not {kind.__module__}.{kind.__qualname__}."
    )


class Row(tuple[Any, ...]):
    """A row that also answers to the names of its columns."""

    __slots__ = ()
    names: Sequence[str] = ()

    def __getitem__(self, place: Any) -> Any:
        return super().__getitem__(self.names.index(place) if isinstance(place, str) else place)


def _rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Row]:
    kind = type("Row", (Row,), {"names": tuple(names), "__slots__": ()})
    return [kind(row) for row in rows]


def _named(statement: str) -> str:
    """With psycopg's places instead of ours."""
    return _PLACE.sub(r"%(v\1)s", statement.replace("%", "%%"))


def _by_name(values: Sequence[Any]) -> dict[str, Any]:
    return {f"v{place}": value for place, value in enumerate(values, 1)}


async def _arrived(value: Awaitable[Any] | Any) -> Any:
    return await value if inspect.isawaitable(value) else value


class _Psycopg:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: Any) -> Sequence[Any]:
        from psycopg.rows import tuple_row

        cursor = self._connection.cursor(row_factory=tuple_row)
        await _arrived(cursor.execute(_named(statement), _by_name(values)))
        rows = await _arrived(cursor.fetchall())
        return _rows([column.name for column in cursor.description], rows)

    async def execute(self, statement: str, *values: Any) -> None:
        cursor = self._connection.cursor()
        await _arrived(cursor.execute(_named(statement), _by_name(values)))


class _Alchemy:
    def __init__(self, connection: Any, *, numeric: bool) -> None:
        self._connection = connection
        self._numeric = numeric

    async def fetch(self, statement: str, *values: Any) -> Sequence[Any]:
        answer = await self._run(statement, values)
        return _rows(list(answer.keys()), answer.fetchall())

    async def execute(self, statement: str, *values: Any) -> None:
        await self._run(statement, values)

    async def _run(self, statement: str, values: Sequence[Any]) -> Any:
        if self._numeric:
            asked = self._connection.exec_driver_sql(statement, tuple(values))
        else:
            asked = self._connection.exec_driver_sql(_named(statement), _by_name(values))
        return await _arrived(asked)
