"""Where SQLite's blocking calls run: one writer thread with group commit, a few readers.

A statement costs its thread the interpreter lock, and under a busy loop getting it back takes
up to a switch interval. So hot work is written in few statements, each over a whole batch, that
answer with one row at most (docs/decisions/0003).
"""

import asyncio
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from jobcast.domain.errors import Unavailable
from jobcast.store.sqlite.connection import Link

T = TypeVar("T")
log: Final = structlog.get_logger("jobcast.store")

GROUP_LIMIT = 64
"""Pieces of work that share one commit at most, so that the first of them waits a bounded time."""

CAPACITY = 10_000
"""Pieces of work that may wait for the writer; one more is refused with `Unavailable`."""


_AWAY: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY}
"""The disk is full, does not answer, or a stranger's tool holds the file."""

CLOSED = "The database is closed: the server is shutting down."


class _Work:
    __slots__ = ("future", "loop", "outcome", "run")

    def __init__(self, run: Callable[[Link], Any]) -> None:
        self.run = run
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.outcome: Any = None


class Writer:
    """Runs changes one after another; those that wait together share one transaction and fsync.

    Each stands under a savepoint of its own: one that raises is undone alone. What `__call__`
    returns is on disk. Callable from any event loop.
    """

    def __init__(self, path: Path) -> None:
        self._link = Link(path, read_only=False)
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="jobcast-writer", daemon=True)
        self._closed = False
        self._door = threading.Lock()
        self._thread.start()

    async def __call__(self, change: Callable[[Link], T]) -> T:
        work = _Work(change)
        with self._door:  # what passes before the last piece of work is done, whoever's loop it is
            if self._closed:
                raise Unavailable(CLOSED)
            if self._queue.qsize() >= CAPACITY:
                raise Unavailable(
                    "The database is overloaded. Try again in a moment.", retry_after=1
                )
            self._queue.put(work)
        answer: T = await work.future
        return answer

    async def close(self) -> None:
        """Commits what was accepted, then closes the connection."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        open_ = True
        while open_:
            group: list[_Work] = []
            work = self._queue.get()
            while work is not None:
                group.append(work)
                if len(group) == GROUP_LIMIT or self._queue.empty():
                    break
                work = self._queue.get()
            open_ = work is not None
            if group:
                self._commit(group)
        self._link.close()

    def _commit(self, group: list[_Work]) -> None:
        raw = self._link.raw
        try:
            raw.execute("BEGIN IMMEDIATE")
            for work in group:
                self._attempt(work, alone=len(group) == 1)
            if raw.in_transaction:
                raw.execute("COMMIT")
        except Exception as problem:  # the disk is full or broken: nothing of the group is kept
            log.exception("commit failed", changes=len(group))
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            for work in group:
                work.outcome = _Raised(problem)
        waiting: dict[asyncio.AbstractEventLoop, list[_Work]] = defaultdict(list)
        for work in group:
            waiting[work.loop].append(work)
        for loop, ready in waiting.items():
            try:
                loop.call_soon_threadsafe(_resolve, ready)
            except RuntimeError:  # that loop is closed: nobody waits for these answers
                log.debug("answers without a loop", count=len(ready))

    def _attempt(self, work: _Work, *, alone: bool) -> None:
        raw = self._link.raw
        if not alone:
            raw.execute("SAVEPOINT one")
        try:
            work.outcome = work.run(self._link)
        except Exception as problem:
            if not raw.in_transaction:
                raise  # SQLite has undone all of the group by itself: the disk is full
            work.outcome = _Raised(problem)
            raw.execute("ROLLBACK" if alone else "ROLLBACK TO one")
        if not alone:
            raw.execute("RELEASE one")


class _Raised:
    __slots__ = ("problem",)

    def __init__(self, problem: Exception) -> None:
        self.problem = _told(problem)


def _told(problem: Exception) -> Exception:
    """The problem; in our words where the file can't be written for now."""
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    if not isinstance(cause, sqlite3.Error) or cause.sqlite_errorcode & 0xFF not in _AWAY:
        return problem
    told = Unavailable("The database cannot be used right now: try again.", detail=str(cause))
    told.__cause__ = problem
    return told


def _resolve(group: list[_Work]) -> None:
    for work in group:
        if work.future.done():
            continue
        if isinstance(work.outcome, _Raised):
            work.future.set_exception(work.outcome.problem)
        else:
            work.future.set_result(work.outcome)


class Readers:
    """Runs queries on snapshots, `count` at a time."""

    def __init__(self, path: Path, *, count: int = 4) -> None:
        self._path = path
        self._links: queue.SimpleQueue[Link] = queue.SimpleQueue()
        self._all = [Link(path, read_only=True) for _ in range(count)]
        for link in self._all:
            self._links.put(link)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="jobcast-reader")
        self._closed = False

    async def __call__(self, query: Callable[[Link], T]) -> T:
        if self._closed:
            raise Unavailable(CLOSED)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._query, query)

    def _query(self, query: Callable[[Link], T]) -> T:
        link = self._links.get()
        try:
            link.raw.execute("BEGIN")
            try:
                return query(link)
            finally:
                link.raw.execute("COMMIT")
        finally:
            self._links.put(link)

    async def close(self) -> None:
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        for link in self._all:
            link.close()
