"""The cold half of a store on a SQLite file, with transactions that really run side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, create_engine, event, insert, select, update

from jobcast.domain.webhook import endpoint_of
from jobcast.runtime.ids import new_id
from jobcast.store.base import Store
from jobcast.store.schema import deliveries, delivery_attempts, metadata

T = TypeVar("T")

SECOND = 1_000


class DeliveriesStore:
    """`away` is what the next transactions raise, one each; None lets one through.

    `refused` is set once one of them was raised. `commit_takes` is called once, between the next
    commit and its answer.
    """

    def __init__(self, folder: Path) -> None:
        self.engine = create_engine(f"sqlite:///{folder / 'test.db'}")
        self.away: list[Exception | None] = []
        self.refused = asyncio.Event()
        self.commit_takes: Callable[[], object] | None = None
        event.listen(self.engine, "connect", _no_implicit_begin)
        event.listen(self.engine, "begin", _begin)
        metadata.create_all(self.engine)

    @property
    def port(self) -> Store:
        return cast(Store, self)

    async def read(self, query: Callable[[Connection], T]) -> T:
        return await self.write(query)

    async def write(self, change: Callable[[Connection], T]) -> T:
        problem = self.away.pop(0) if self.away else None
        if problem is not None:
            self.refused.set()
            raise problem
        answer = await asyncio.to_thread(self.run, change)
        if self.commit_takes is not None:
            self.commit_takes()
            self.commit_takes = None
        return answer

    def run(self, change: Callable[[Connection], T]) -> T:
        with self.engine.begin() as conn:
            return change(conn)

    def add(
        self, url: str, *, due_at: int, job_id: str = "job-1", body: str = "{}", seq: int = 4
    ) -> str:
        """Enters a delivery, as the end of a job does; its id."""
        row = {
            "id": new_id(),
            "job_id": job_id,
            "tenant_id": "acme",
            "url": url,
            "endpoint": endpoint_of(url),
            "body": body,
            "seq": seq,
            "state": "PENDING",
            "attempts": 0,
            "due_at": due_at,
            "created_at": due_at,
        }
        self.run(lambda conn: conn.execute(insert(deliveries), row))
        return str(row["id"])

    def delivery(self, delivery_id: str) -> Any:
        """The row of a delivery."""
        wanted = select(deliveries).where(deliveries.c.id == delivery_id)
        return self.run(lambda conn: conn.execute(wanted).one())

    def change(self, delivery_id: str, **values: object) -> None:
        """Changes columns of a delivery, as another process would."""
        changing = update(deliveries).where(deliveries.c.id == delivery_id).values(**values)
        self.run(lambda conn: conn.execute(changing))

    def attempts(self) -> list[Any]:
        """The rows of all attempts, oldest first."""
        wanted = select(delivery_attempts).order_by(delivery_attempts.c.id)
        return self.run(lambda conn: list(conn.execute(wanted)))


def _no_implicit_begin(connection: Any, record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = OFF")


def _begin(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE")
