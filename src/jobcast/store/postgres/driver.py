"""`PostgresStore`: the store port on PostgreSQL, for as many processes as there are."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import asyncpg
import structlog
from sqlalchemy import Connection

from jobcast.domain.errors import InvalidRequest, JobcastError
from jobcast.domain.job import Event, Fence
from jobcast.domain.json import storable
from jobcast.domain.lifecycle import Ending, Errored, Succeeded
from jobcast.runtime.clock import Clock
from jobcast.store.base import (
    Append,
    Changed,
    Claimed,
    Draft,
    Finish,
    Outcome,
    Renew,
    Renewal,
    Submit,
    Submitted,
    TypeInfo,
)
from jobcast.store.postgres import claiming, running, sessions, submitting
from jobcast.store.postgres.connecting import connect
from jobcast.store.postgres.pool import UNFIT, Pool, Raw, speaking
from jobcast.store.postgres.sql import leases, live

UNSTORABLE: Final = "The outcome of this run cannot be stored: {problem}."
SHARDS: Final = 8
"""Rollups of one minute, tenant and type are spread over this many rows."""

T = TypeVar("T")
log: Final = structlog.get_logger("jobcast.store")


class PostgresStore:
    """One database, any number of processes. Its schema is laid by `jobcast migrate`.

    The database's clock is the clock of leases, deadlines and events; tests put a `clock` in its
    place. Without `hold_off` a rescue doesn't wait for the living after the database was away.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, hold_off: bool = True) -> None:
        self.url = url
        self._clock = clock
        self._hold_off = hold_off
        self._pool = Pool(url)
        self._shard = random.randrange(SHARDS)  # noqa: S311

    async def open(self) -> None:
        """Raises Unavailable when the database can't be reached."""
        async with self._pool.connection() as raw:
            await raw.fetchval("SELECT 1")

    async def close(self) -> None:
        await self._pool.close()

    async def read(self, query: Callable[[Connection], T]) -> T:
        return await self._pool.read(query)

    async def write(self, change: Callable[[Connection], T]) -> T:
        return await self._pool.write(change)

    async def submit(
        self, batch: Sequence[Submit], *, together: bool = False
    ) -> list[Submitted | JobcastError]:
        try:
            keyless = submitting.keyless(batch)
            take = self._pool.alone if keyless else self._pool.run
            return await take(lambda raw: self._submit(raw, batch, together=together))
        except UNFIT as problem:
            if len(batch) == 1 or together:
                refusal = InvalidRequest(f"The database cannot hold this job: {problem}.")
                if together:
                    raise refusal from problem
                return [refusal]
        half = len(batch) // 2
        return await self.submit(batch[:half]) + await self.submit(batch[half:])

    async def _submit(
        self, raw: Raw, batch: Sequence[Submit], *, together: bool
    ) -> list[Submitted | JobcastError]:
        answers = await submitting.submit(raw, batch, now=self._now, shard=self._shard)
        refused = [answer for answer in answers if isinstance(answer, JobcastError)]
        if together and refused:
            raise refused[0]  # undoes the whole transaction
        return answers

    async def claim(
        self,
        session_id: str,
        *,
        queues: Sequence[str] | None,
        cursors: dict[str, str],
        limit: int,
    ) -> Claimed:
        wanted = claiming.Wanted(session_id, queues, cursors, limit, self._now)
        return await claiming.claim(self._pool, wanted)

    async def append(self, batch: Sequence[Append]) -> list[tuple[Event, ...] | None]:
        try:
            return await self._pool.alone(lambda raw: running.append(raw, batch, now=self._now))
        except UNFIT as problem:
            if len(batch) > 1:
                half = len(batch) // 2
                return await self.append(batch[:half]) + await self.append(batch[half:])
            fence, drafts = batch[0].fence, _escaped(batch[0].drafts)
            if list(batch[0].drafts) != drafts:
                return await self.append([Append(fence, drafts)])
            log.error("events cannot be stored", job_id=fence.job_id, problem=repr(problem))
            return [()]

    async def finish(self, batch: Sequence[Finish]) -> list[Changed | None]:
        try:
            return await self._finish(batch)
        except UNFIT as problem:
            if len(batch) > 1:
                half = len(batch) // 2
                return await self.finish(batch[:half]) + await self.finish(batch[half:])
            [item] = batch
            escaped = Finish(item.fence, _escaped_ending(item.ending), _escaped(item.drafts))
            if escaped != item:
                return await self.finish([escaped])
            error = _text(UNSTORABLE.format(problem=problem))
            return await self._finish([Finish(item.fence, Errored(error, None))])

    async def _finish(self, batch: Sequence[Finish]) -> list[Changed | None]:
        done: dict[Fence, Changed] = {}
        # A transaction adds to the rollups once, in the order that all keep: so it is the one
        # statement for all of them, or for none.
        if all(map(running.plain, batch)):
            done = await self._pool.alone(
                lambda raw: running.finish_done(raw, batch, now=self._now, shard=self._shard)
            )
            if len(done) == len(batch):
                return [done[item.fence] for item in batch]
        return await self._pool.run(lambda raw: self._finish_rest(raw, batch, done))

    async def _finish_rest(
        self, raw: Raw, batch: Sequence[Finish], done: Mapping[Fence, Changed]
    ) -> list[Changed | None]:
        """Ends what the one statement has left; all answers, in their order."""
        rest = [item for item in batch if item.fence not in done]
        ended = iter(await running.finish(raw, rest, now=self._now, shard=self._shard))
        return [done[item.fence] if item.fence in done else next(ended) for item in batch]

    async def cancel(self, job_id: str, *, waiting_only: bool) -> Outcome:
        return await self._pool.run(
            lambda raw: running.cancel(
                raw, job_id, waiting_only=waiting_only, now=self._now, shard=self._shard
            )
        )

    async def cancel_all(self, job_ids: Sequence[str]) -> list[Outcome]:
        return await self._pool.run(
            lambda raw: running.cancel_all(raw, job_ids, now=self._now, shard=self._shard)
        )

    async def resubmit(self, job_id: str, *, payload: str | None) -> Outcome:
        return await self._pool.run(
            lambda raw: running.resubmit(
                raw, job_id, payload=payload, now=self._now, shard=self._shard
            )
        )

    async def save_file(self, fence: Fence, *, name: str, content_type: str, data: bytes) -> bool:
        async with self._pool.connection() as raw:
            row = (self._now, fence.job_id, name, content_type, len(data), data)
            said: str = await raw.execute(live.SAVE_FILE, *row, fence.run, fence.session_id)
        return said == "INSERT 0 1"

    async def open_session(self, session_id: str, *, name: str) -> None:
        async with self._pool.connection() as raw:
            await sessions.open_session(raw, session_id, name, now=self._now)

    async def renew_session(self, session_id: str) -> Renewal:
        async with self.pulse() as renew:
            return await renew(session_id)

    @asynccontextmanager
    async def pulse(self) -> AsyncIterator[Renew]:
        pulse = _Pulse(self.url, lambda: self._now)
        try:
            yield pulse
        finally:
            await pulse.close()

    async def drain_session(self, session_id: str) -> None:
        async with self._pool.connection() as raw:
            await raw.execute(leases.DRAIN_SESSION, session_id)

    async def close_session(self, session_id: str) -> Sequence[Changed]:
        return await self._pool.run(
            lambda raw: sessions.close(raw, session_id, now=self._now, shard=self._shard)
        )

    async def rescue(self, *, limit: int) -> Sequence[Changed]:
        if self._hold_off:
            async with self._pool.connection() as raw:
                waited = (sessions.LEASE_MS, sessions.SILENCE_MS)
                if not await raw.fetchval(leases.HOLD_OFF, self._now, *waited):
                    return []
        released = await self._pool.run(
            lambda raw: sessions.bury(raw, now=self._now, shard=self._shard)
        )
        return released + await self._pool.run(
            lambda raw: sessions.rescue(raw, limit=limit, now=self._now, shard=self._shard)
        )

    async def make_due(self, *, limit: int) -> int:
        async with self._pool.connection() as raw:
            said: str = await raw.execute(live.MAKE_READY, self._now, limit)
        return int(said.removeprefix("UPDATE "))

    async def register_types(self, session_id: str, types: Sequence[TypeInfo]) -> None:
        await self._pool.run(lambda raw: sessions.register_types(raw, types, now=self._now))

    @property
    def _now(self) -> int | None:
        return None if self._clock is None else self._clock.now()


class _Pulse:
    """Renewals over a connection of their own, on the loop of the heartbeat."""

    def __init__(self, url: str, now: Callable[[], int | None]) -> None:
        self._url = url
        self._now = now
        self._raw: Raw | None = None

    async def __call__(self, session_id: str) -> Renewal:
        with speaking():
            if self._raw is None or self._raw.is_closed():
                self._raw = await connect(self._url)
            try:
                return await sessions.renew(self._raw, session_id, now=self._now())
            except BaseException:
                self._raw.terminate()
                raise

    async def close(self) -> None:
        """Lets go of the connection."""
        if self._raw is not None and not self._raw.is_closed():
            try:
                async with asyncio.timeout(1):
                    await self._raw.close()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._raw.terminate()


def _text(text: str) -> str:
    """What PostgreSQL's text can hold: no zero byte, no lone surrogates."""
    return storable(text).replace("\0", "\\u0000")


def _escaped(drafts: Sequence[Draft]) -> list[Draft]:
    return [Draft(draft.type, draft.at, _text(draft.data)) for draft in drafts]


def _escaped_ending(ending: Ending) -> Ending:
    match ending:
        case Succeeded(result=result):
            return Succeeded(_text(result))
        case Errored(error=error, retry_at=retry_at):
            return Errored(_text(error), retry_at)
        case _:
            return ending
