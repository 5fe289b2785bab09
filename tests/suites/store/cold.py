"""Cold queries: read on a snapshot, written whole or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError
from tests.suites.workbench import Bench

from jobcast.store.base import Store
from jobcast.store.schema import queues

T = TypeVar("T")


def names(conn: Connection) -> list[str]:
    return list(conn.scalars(select(queues.c.name).order_by(queues.c.name)))


def add(conn: Connection, *new: str) -> int:
    for name in new:
        conn.execute(insert(queues).values(name=name, paused=False))
    return len(new)


class Cold:
    async def test_what_is_written_is_read(self, bench: Bench) -> None:
        assert await bench.store.write(lambda conn: add(conn, "a", "b")) == 2
        assert await bench.store.read(names) == ["a", "b"]

    async def test_a_write_sees_what_it_wrote(self, bench: Bench) -> None:
        def change(conn: Connection) -> list[str]:
            add(conn, "a")
            return names(conn)

        assert await bench.store.write(change) == ["a"]

    async def test_a_write_that_raises_is_undone_alone(self, bench: Bench) -> None:
        def spoilt(conn: Connection) -> None:
            add(conn, "spoilt")
            raise LookupError("no")

        answers = await asyncio.gather(
            bench.store.write(lambda conn: add(conn, "a")),
            bench.store.write(spoilt),
            bench.store.write(lambda conn: add(conn, "b", "b")),
            bench.store.write(lambda conn: add(conn, "c")),
            bench.put(),
            return_exceptions=True,
        )
        assert isinstance(answers[1], LookupError)
        assert isinstance(answers[2], IntegrityError)
        assert await bench.store.read(names) == ["a", "c"]
        assert await bench.count() == 1

    async def test_a_write_that_raises_by_itself_is_undone_too(self, bench: Bench) -> None:
        with pytest.raises(IntegrityError):
            await bench.store.write(lambda conn: add(conn, "b", "b"))
        assert await bench.store.read(names) == []
        assert await bench.store.write(lambda conn: add(conn, "b")) == 1

    async def test_a_read_that_raises_harms_no_other(self, bench: Bench) -> None:
        def broken(conn: Connection) -> None:
            names(conn)
            raise LookupError("no")

        for _ in range(10):
            with pytest.raises(LookupError):
                await bench.store.read(broken)
        await bench.store.write(lambda conn: add(conn, "a"))
        for _ in range(10):
            assert await bench.store.read(names) == ["a"]

    async def test_a_read_cannot_write(self, bench: Bench) -> None:
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            await bench.store.read(lambda conn: add(conn, "a"))
        assert await bench.store.read(names) == []

    async def write_elsewhere(self, store: Store, change: Callable[[Connection], T]) -> T:
        """Writes on another loop than the one on which the store was opened."""
        return await store.write(change)

    async def test_a_read_sees_one_moment_alone(self, bench: Bench) -> None:
        """What is committed between its two queries is not seen by the second."""
        await bench.store.write(lambda conn: add(conn, "a"))

        def write() -> None:
            asyncio.run(self.write_elsewhere(bench.store, lambda conn: add(conn, "b")))

        def query(conn: Connection) -> tuple[list[str], list[str]]:
            before = names(conn)
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
            return before, names(conn)

        assert await bench.store.read(query) == (["a"], ["a"])
        assert await bench.store.read(names) == ["a", "b"]

    async def test_a_caller_that_gives_up_harms_no_other(self, bench: Bench) -> None:
        tasks = [asyncio.create_task(bench.put()) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
        assert not any(isinstance(answer, BaseException) for answer in answers[1::2])
        assert 10 <= await bench.count() <= 20
