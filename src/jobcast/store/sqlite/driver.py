"""`SqliteStore`: the store port on one file."""

import fcntl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TypeVar

from sqlalchemy import Connection

from jobcast.domain.errors import JobcastError, Unavailable
from jobcast.domain.job import Event, Fence
from jobcast.runtime.clock import Clock
from jobcast.store.base import (
    Append,
    Changed,
    Claimed,
    Finish,
    Outcome,
    Renew,
    Renewal,
    Submit,
    Submitted,
    TypeInfo,
)
from jobcast.store.sqlite import claiming, running, sessions, statements, submitting
from jobcast.store.sqlite.changes import UNFIT
from jobcast.store.sqlite.connection import Link
from jobcast.store.sqlite.threads import Readers, Writer
from jobcast.store.sqlite.upgrading import lay

T = TypeVar("T")


class SqliteStore:
    """One file, one process: a lock on its folder keeps every other process out.

    So every session that is found at the start is known to be dead.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._capped: dict[str, int] = {}
        self._lock: IO[str] | None = None
        self._writer: Writer
        self._readers: Readers

    async def open(self) -> None:
        """Takes the folder, lays the tables or brings them up to this release, and disowns the
        sessions of an earlier process.

        Raises Unavailable when another process has the folder, or another release its file.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise Unavailable(
                f"Another Jobcast process uses the folder {self._folder}: "
                "stop it, or choose another folder with --data-dir."
            ) from None
        path = self._folder / "jobcast.db"
        self._writer = Writer(path)
        try:
            await self._writer(_lay)
        except BaseException:
            await self._writer.close()
            self._lock.close()
            raise
        self._readers = Readers(path)
        await self._learn_caps()

    async def close(self) -> None:
        await self._writer.close()
        await self._readers.close()
        if self._lock is not None:
            self._lock.close()

    async def read(self, query: Callable[[Connection], T]) -> T:
        return await self._readers(lambda link: query(link.sql))

    async def write(self, change: Callable[[Connection], T]) -> T:
        return await self._writer(lambda link: change(link.sql))

    async def submit(
        self, batch: Sequence[Submit], *, together: bool = False
    ) -> list[Submitted | JobcastError]:
        def work(link: Link) -> list[Submitted | JobcastError]:
            answers = submitting.submit(link.raw, batch, capped=self._capped, now=self._clock.now())
            refused = [answer for answer in answers if isinstance(answer, JobcastError)]
            if together and refused:
                raise refused[0]  # undoes the whole piece of work
            return answers

        return await self._writer(work)

    async def claim(
        self,
        session_id: str,
        *,
        queues: Sequence[str] | None,
        cursors: dict[str, str],
        limit: int,
    ) -> Claimed:
        wanted = claiming.Wanted(session_id, queues, cursors, limit)
        return await self._writer(
            lambda link: claiming.claim(
                link.raw, wanted, capped=self._capped, now=self._clock.now()
            )
        )

    async def append(self, batch: Sequence[Append]) -> list[tuple[Event, ...] | None]:
        try:
            return await self._writer(
                lambda link: running.append(link.raw, batch, now=self._clock.now())
            )
        except UNFIT:
            return await self._writer(
                lambda link: running.append_apart(link.raw, batch, now=self._clock.now())
            )

    async def finish(self, batch: Sequence[Finish]) -> list[Changed | None]:
        try:
            return await self._writer(
                lambda link: running.finish(link.raw, batch, now=self._clock.now())
            )
        except UNFIT:
            return await self._writer(
                lambda link: running.finish_apart(link.raw, batch, now=self._clock.now())
            )

    async def cancel(self, job_id: str, *, waiting_only: bool) -> Outcome:
        return await self._writer(
            lambda link: running.cancel(
                link.raw, job_id, waiting_only=waiting_only, now=self._clock.now()
            )
        )

    async def cancel_all(self, job_ids: Sequence[str]) -> list[Outcome]:
        return await self._writer(
            lambda link: running.cancel_all(link.raw, job_ids, now=self._clock.now())
        )

    async def resubmit(self, job_id: str, *, payload: str | None) -> Outcome:
        return await self._writer(
            lambda link: running.resubmit(
                link.raw, job_id, payload=payload, capped=self._capped, now=self._clock.now()
            )
        )

    async def save_file(self, fence: Fence, *, name: str, content_type: str, data: bytes) -> bool:
        def work(link: Link) -> bool:
            row = (fence.job_id, name, content_type, len(data), self._clock.now(), data)
            kept = link.raw.execute(statements.SAVE_FILE, (*row, fence.run, fence.session_id))
            return kept.rowcount == 1

        return await self._writer(work)

    async def open_session(self, session_id: str, *, name: str) -> None:
        await self._writer(
            lambda link: sessions.open_session(link.raw, session_id, name, now=self._clock.now())
        )

    async def renew_session(self, session_id: str) -> Renewal:
        return await self._writer(
            lambda link: sessions.renew(link.raw, session_id, now=self._clock.now())
        )

    @asynccontextmanager
    async def pulse(self) -> AsyncIterator[Renew]:
        yield self.renew_session  # the writer answers to any loop

    async def drain_session(self, session_id: str) -> None:
        await self._writer(lambda link: sessions.drain(link.raw, session_id))

    async def close_session(self, session_id: str) -> Sequence[Changed]:
        return await self._writer(
            lambda link: sessions.close(link.raw, session_id, now=self._clock.now())
        )

    async def rescue(self, *, limit: int) -> Sequence[Changed]:
        return await self._writer(
            lambda link: sessions.rescue(link.raw, limit=limit, now=self._clock.now())
        )

    async def make_due(self, *, limit: int) -> int:
        return await self._writer(
            lambda link: running.make_due(link.raw, limit=limit, now=self._clock.now())
        )

    async def register_types(self, session_id: str, types: Sequence[TypeInfo]) -> None:
        def work(link: Link) -> None:
            # Known to the very next piece of work: a job in the wrong lane escapes its cap.
            self._capped = sessions.register_types(link.raw, types, now=self._clock.now())

        try:
            await self._writer(work)
        except Exception:
            await self._learn_caps()
            raise

    async def _learn_caps(self) -> None:
        def work(link: Link) -> None:
            self._capped = sessions.caps(link.raw)

        await self._writer(work)


def _lay(link: Link) -> None:
    lay(link.sql, link.raw)
    link.raw.execute(
        "INSERT INTO counters (name, value) VALUES ('change', 0) ON CONFLICT DO NOTHING"
    )
    link.raw.execute(statements.DISOWN_SESSIONS)
