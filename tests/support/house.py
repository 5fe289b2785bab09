"""A worker with all that it stands on, put together as `compose` does it, on a clock of its own.

The store is the real SQLite driver on a folder; it can be told to fail or to hold still, and tells
whoever waits that something has changed. So tests wait for what happens, never for time.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, func, select

from jobcast.app import App
from jobcast.bus.base import TYPES
from jobcast.bus.memory import MemoryBus
from jobcast.domain.access import Kind, Principal
from jobcast.domain.job import Event, EventType, Job
from jobcast.runtime.clock import Clock, FakeClock
from jobcast.services.announcing import Announcer
from jobcast.services.job_cache import JobCache
from jobcast.services.job_input import parse_job
from jobcast.services.job_types import JobTypes
from jobcast.services.jobs import Jobs
from jobcast.settings import Settings, load_settings
from jobcast.store import jobs as queries
from jobcast.store.base import Append, Changed, Claimed, Finish, Outcome
from jobcast.store.schema import jobs as jobs_table
from jobcast.store.sqlite import SqliteStore
from jobcast.worker.attempt import Tools
from jobcast.worker.desk import Desk
from jobcast.worker.isolation import Isolation
from jobcast.worker.journal import Appender
from jobcast.worker.pace import Pace
from jobcast.worker.threads import Threads
from jobcast.worker.upkeep import Upkeep
from jobcast.worker.worker import Worker

T = TypeVar("T")
LONG = 20.0
"""Seconds after which a test is hung: no test comes near."""

QUICK = Pace(retry_after=0.01, drain_grace=0.05, stop_grace=0.05, renew_every=0.02)
ACME = Principal(kind=Kind.KEY, tenant_id="acme", user_id="ada")


class Trouble(OSError):
    """The database is away."""


class Store(SqliteStore):
    """`fails[use]` is how often a use of the port fails, `loses[use]` how often its answer is lost
    after it took effect; a use with a gate waits until it opens."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        super().__init__(folder, clock=clock)
        self.fails: Counter[str] = Counter()
        self.loses: Counter[str] = Counter()
        self.gates: dict[str, asyncio.Event] = {}
        self.uses: Counter[str] = Counter()
        self._waiters: list[asyncio.Future[None]] = []

    def shut(self, use: str) -> asyncio.Event:
        """Holds a use back until the event that this answers with is set."""
        return self.gates.setdefault(use, asyncio.Event())

    async def changed(self) -> None:
        """Returns after the next use of the store."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    async def append(self, batch: Sequence[Append]) -> list[tuple[Event, ...] | None]:
        return await self._use("append", super().append, batch)

    async def finish(self, batch: Sequence[Finish]) -> list[Changed | None]:
        return await self._use("finish", super().finish, batch)

    async def claim(
        self,
        session_id: str,
        *,
        queues: Sequence[str] | None,
        cursors: dict[str, str],
        limit: int,
    ) -> Claimed:
        claim = super().claim

        async def work() -> Claimed:
            return await claim(session_id, queues=queues, cursors=cursors, limit=limit)

        return await self._use("claim", work)

    async def cancel(self, job_id: str, *, waiting_only: bool) -> Outcome:
        cancel = super().cancel

        async def work() -> Outcome:
            return await cancel(job_id, waiting_only=waiting_only)

        return await self._use("cancel", work)

    async def write(self, change: Callable[[Connection], T]) -> T:
        return await self._use("write", super().write, change)

    async def close_session(self, session_id: str) -> Sequence[Changed]:
        return await self._use("close_session", super().close_session, session_id)

    async def open_session(self, session_id: str, *, name: str) -> None:
        open_session = super().open_session

        async def work() -> None:
            await open_session(session_id, name=name)

        await self._use("open_session", work)

    async def renew_session(self, session_id: str) -> Any:  # on the heartbeat's own loop
        self._break("renew_session")
        return await super().renew_session(session_id)

    async def _use(self, name: str, work: Callable[..., Awaitable[T]], *given: Any) -> T:
        self.uses[name] += 1
        if name in self.gates:
            await self.gates[name].wait()
        try:
            self._break(name)
            answer = await work(*given)
            if self.loses[name] > 0:
                self.loses[name] -= 1
                raise Trouble("the connection was lost")
            return answer
        finally:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _break(self, name: str) -> None:
        if self.fails[name] > 0:
            self.fails[name] -= 1
            raise Trouble("the database is away")


class House:
    """One process of Jobcast without its gateway; `async with` opens it, and its worker."""

    def __init__(
        self,
        folder: Path,
        app: App,
        *,
        clock: Clock | None = None,
        hints: bool = True,
        pace: Pace = QUICK,
        concurrency: int = 20,
        queues: Sequence[str] | Mapping[str, int] | None = None,
        **settings: Any,
    ) -> None:
        self.app = app
        self.fake = FakeClock()
        self.clock: Clock = clock or self.fake
        self.settings: Settings = load_settings(env_file=None, data_dir=folder, **settings)
        self.store = Store(folder, clock=self.clock)
        self.bus = MemoryBus(hints=hints)
        self.announcer = Announcer(self.bus)
        self.types = JobTypes(self.store, self.clock)
        self.jobs = Jobs(
            self.store,
            self.announcer,
            self.types,
            self.settings,
            self.clock,
            JobCache(self.bus),
        )
        self.upkeep = Upkeep(self.store, self.bus, self.announcer, self.settings, self.clock)
        self.threads = Threads()
        self.isolation = Isolation(self.settings, grace=0.5)
        desk = Desk(
            self.store,
            self.bus,
            self.jobs,
            self.settings,
            self.clock,
            lambda path: f"http://h{path}",
        )
        self.tools = Tools(
            desk=desk,
            appender=Appender(self.store, self.announcer, pace),
            isolation=self.isolation,
            threads=self.threads,
            settings=self.settings,
            clock=self.clock,
            pace=pace,
        )
        self.worker = self.hire(concurrency=concurrency, queues=queues)
        self._stack = AsyncExitStack()
        self._work = AsyncExitStack()

    def hire(
        self,
        app: App | None = None,
        *,
        concurrency: int = 20,
        queues: Sequence[str] | Mapping[str, int] | None = None,
        pace: Pace | None = None,
    ) -> Worker:
        """A worker in this house, not yet at work."""
        tools = self.tools if pace is None else msgspec.structs.replace(self.tools, pace=pace)
        return Worker(
            (app or self.app).handlers,
            self.store,
            self.bus,
            self.announcer,
            tools,
            queues=queues,
            concurrency=concurrency,
        )

    async def __aenter__(self) -> House:
        await self.open()
        await self._work.enter_async_context(self.worker)
        return self

    async def open(self) -> House:
        """All but the worker."""
        await self.store.open()
        self._stack.push_async_callback(self.store.close)
        await self._stack.enter_async_context(self.isolation)
        self._stack.callback(self.threads.close)
        hints = self.bus.subscriber(lambda _: self.types.forget())
        await hints.add([TYPES])
        return self

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(LONG):
            await self.leave()
            await self._stack.aclose()

    async def leave(self) -> None:
        """The worker drains and goes."""
        for gate in self.store.gates.values():
            gate.set()
        await self._work.aclose()

    # ── what there is to do ──────────────────────────────────────────────────────────────────

    async def submit(self, type: str, payload: Any = None, **options: Any) -> str:
        """Submits a job for acme; options in camelCase. Its id."""
        body = msgspec.json.encode({**options, "type": type, "payload": payload or {}})
        return (await self.jobs.submit(ACME, parse_job(body))).job.id

    async def run(self, type: str, payload: Any = None, **options: Any) -> Job:
        """Submits a job and waits until it has ended."""
        return await self.ended(await self.submit(type, payload, **options))

    async def cancel(self, job_id: str) -> None:
        """A user cancels the job, also one that runs."""
        await self.jobs.cancel(ACME, job_id, waiting_only=False)

    async def wait_out(self, seconds: float) -> None:
        """Time goes by; what is due then becomes ready."""
        self.fake.advance(seconds)
        await self.upkeep.make_due()

    async def ended(self, job_id: str) -> Job:
        """The job once it has ended."""
        return await self.until(lambda: self.job(job_id), lambda job: job.state.ended)

    async def waits_again(self, job_id: str) -> Job:
        """The job once a run of it has ended and it waits for another."""
        return await self.until(
            lambda: self.job(job_id), lambda job: job.run > 0 and job.session_id is None
        )

    async def until(self, look: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
        """Looks again after every use of the store until what it sees is good."""
        async with asyncio.timeout(LONG):
            while True:
                change = asyncio.ensure_future(self.store.changed())
                await asyncio.sleep(0)  # it waits from here on
                seen = await look()
                if good(seen):
                    change.cancel()
                    return seen
                await change

    # ── what is stored ───────────────────────────────────────────────────────────────────────

    async def job(self, job_id: str) -> Job:
        """The job as it stands."""
        found = await self.store.read(lambda conn: queries.find(conn, job_id))
        assert found is not None
        return found

    async def events(self, job_id: str) -> list[Event]:
        """All its events."""
        return await self.store.read(
            lambda conn: queries.events_after(conn, job_id, 0, limit=1_000_000)
        )

    async def story(self, job_id: str) -> list[str]:
        """The types of its events in short: pending, processing, done. Gapless, or it fails."""
        events = await self.events(job_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        return [event.type.removeprefix("job:") for event in events]

    async def said(self, job_id: str, kind: EventType = EventType.LOG) -> list[Any]:
        """What it logged, put out or said of its progress."""
        key = {EventType.LOG: "message", EventType.OUTPUT: "data", EventType.PROGRESS: "percent"}
        events = await self.events(job_id)
        return [json.loads(event.data)[key[kind]] for event in events if event.type is kind]

    async def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""

        def query(conn: Connection) -> dict[str, int]:
            rows = conn.execute(
                select(jobs_table.c.state, func.count()).group_by(jobs_table.c.state)
            )
            return {row[0]: row[1] for row in rows}

        return await self.store.read(query)
