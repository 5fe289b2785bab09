"""A store with the cold uses only, in memory: enough for services that ask nothing else of it."""

from collections.abc import Callable
from typing import TypeVar, cast

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from jobcast.domain.errors import Unavailable
from jobcast.store.base import Store
from jobcast.store.schema import metadata

T = TypeVar("T")


class Database:
    """`read` and `write` on one SQLite connection. `broken`: every use fails from then on."""

    def __init__(self) -> None:
        self.engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        metadata.create_all(self.engine)
        self.reads = 0
        self.broken = False

    @property
    def store(self) -> Store:
        """Itself, as what services take."""
        return cast(Store, self)

    def close(self) -> None:
        self.engine.dispose()

    async def read(self, query: Callable[[Connection], T]) -> T:
        self.reads += 1
        return await self.write(query)

    async def write(self, change: Callable[[Connection], T]) -> T:
        if self.broken:
            raise Unavailable("The database is away.")
        with self.engine.begin() as conn:
            return change(conn)
