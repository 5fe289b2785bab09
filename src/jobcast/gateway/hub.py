"""The hub of one gateway: from the bus and the store to whoever watches here.

A message of the bus is a hint. Per job, what is at or before the last seq is dropped, the next is
delivered, and for anything else the hole is read from the store. Every two seconds one query asks
the store for the newest seq of all watched jobs, and one per watched tenant for its changes, so
that a watcher misses nothing that the bus has dropped.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from jobcast.bus.base import Bus, Message, job_topic, tenant_topic
from jobcast.domain.errors import NotFound
from jobcast.domain.job import Event, Job
from jobcast.gateway.tenant_watching import TenantTopic, TenantWatch
from jobcast.gateway.watching import JobWatch, ends
from jobcast.store import jobs as queries
from jobcast.store.base import Store
from jobcast.wire.frames import event_frame, with_cursor

log: Final = structlog.get_logger("jobcast.hub")

REPAIR_EVERY: Final = 2.0
"""Seconds between two looks into the store for what the bus has dropped."""

PAGE: Final = 500
"""Events read in one go."""

SEQS_IN_ONE_QUERY: Final = 10_000
"""Jobs whose newest seq one query asks for."""


class Hub:
    """Subscriptions of this gateway. `repair` is called by a ticker every `REPAIR_EVERY`."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._jobs: dict[str, set[JobWatch]] = {}
        self._tenants: dict[str, TenantTopic] = {}
        self._holes: set[str] = set()
        self._filling: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._subscriber = bus.subscriber(self._receive)
        self._handlers: dict[str, Callable[[Sequence[Message]], None]] = {}
        self.repaired: int = 0

    @property
    def watches(self) -> int:
        """Subscriptions that live here."""
        tenants = sum(len(topic.watches) for topic in self._tenants.values())
        return tenants + sum(len(watches) for watches in self._jobs.values())

    @property
    def topics(self) -> int:
        """Topics that are followed on the bus for them."""
        return len(self._handlers)

    async def watch_job(self, job_id: str, *, after: int | None) -> JobWatch:
        """Subscribes to a job; nothing comes until the watch is started.

        With `after`, every event with a higher seq; without, what comes from now on, and the last
        event of a job that has already ended. Raises NotFound.
        """
        watch = await self.expect_job(job_id)
        try:
            job, events = await self._store.read(lambda conn: _past(conn, job_id, after))
            await self._bus.publish((), newest={job_id: job.seq})
        except BaseException:
            await self.leave_job(watch)
            raise
        page = [_message(event) for event in events]
        watch.open(job, page, after=after, whole=len(page) < PAGE)
        return watch

    async def expect_job(self, job_id: str) -> JobWatch:
        """Subscribes to a job that is about to be made under this id.

        `welcome` it when it is committed, and nothing has to be read; or leave it.
        """
        watch = JobWatch(job_id)
        watches = self._jobs.setdefault(job_id, set())
        watches.add(watch)
        if len(watches) == 1:
            try:
                await self._follow(job_topic(job_id), lambda batch: self._on_job(job_id, batch))
            except BaseException:
                await self.leave_job(watch)
                raise
        return watch

    @staticmethod
    def welcome(watch: JobWatch, job: Job, events: Sequence[Event]) -> None:
        """The expected job is there, with these events; start the watch to get them."""
        watch.open(job, [_message(event) for event in events], after=0, whole=True)

    async def advance(self, watch: JobWatch | TenantWatch) -> None:
        """Reads the next page of what a watch is behind by; one that was stopped gets none."""
        if not watch.behind:
            return
        watch.reading()
        if isinstance(watch, JobWatch):
            past = partial(queries.events_after, job_id=watch.job_id, after=watch.last, limit=PAGE)
            page = [_message(event) for event in await self._known(past)]
            watch.turn(page, whole=len(page) < PAGE)
            return
        tenant_id, start = watch.tenant_id, watch.past or 0
        events, cursor = await self._store.read(
            lambda conn: queries.changes_after(conn, tenant_id, start, limit=PAGE)
        )
        frames = [_cursored(event, start) for event in events]
        watch.turn(frames, cursor=cursor, whole=len(events) < PAGE)

    def forget_job(self, watch: JobWatch) -> None:
        """As `leave_job`, from where nothing can be awaited."""
        task = asyncio.create_task(self.leave_job(watch), name=f"leave {watch.job_id}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def leave_job(self, watch: JobWatch) -> None:
        """Ends a subscription; harmless when it has ended already."""
        watch.stop()
        watches = self._jobs.get(watch.job_id)
        if watches is None:
            return
        watches.discard(watch)
        if not watches:
            del self._jobs[watch.job_id]
            await self._forsake(job_topic(watch.job_id))

    async def watch_tenant(self, tenant_id: str, *, after: int | None) -> TenantWatch:
        """Subscribes to a tenant; nothing comes until the watch is started."""
        watch = TenantWatch(tenant_id)
        topic = self._tenants.get(tenant_id)
        if topic is None:
            topic = self._tenants[tenant_id] = TenantTopic(tenant_id)
        topic.watches.add(watch)
        try:
            newest = await self._store.read(queries.newest_change)
            topic.begin(newest)
            await self._follow(tenant_topic(tenant_id), topic.receive)
        except BaseException:
            await self.leave_tenant(watch)
            raise
        watch.open(after=after, newest=max(newest, topic.cursor))
        return watch

    async def leave_tenant(self, watch: TenantWatch) -> None:
        """Ends a subscription; harmless when it has ended already."""
        watch.stop()
        topic = self._tenants.get(watch.tenant_id)
        if topic is None:
            return
        topic.watches.discard(watch)
        if not topic.watches:
            del self._tenants[watch.tenant_id]
            await self._forsake(tenant_topic(watch.tenant_id))

    async def repair(self) -> None:
        """Delivers what the bus has dropped."""
        watched = [job_id for job_id, watches in self._jobs.items() if _lags(watches, None)]
        for start in range(0, len(watched), SEQS_IN_ONE_QUERY):
            chunk = watched[start : start + SEQS_IN_ONE_QUERY]
            seqs = await self._store.read(partial(queries.newest_seqs, job_ids=chunk))
            for job_id in chunk:
                watches = self._jobs.get(job_id, ())
                if job_id not in seqs:
                    _lose(watches)
                elif _lags(watches, seqs[job_id]):
                    self.repaired += await self._fill(job_id)
        for topic in tuple(self._tenants.values()):
            if topic.begun:
                await self._repair_tenant(topic)

    async def close(self) -> None:
        """Follows nothing any more."""
        await self._subscriber.close()
        if self._filling is not None:
            self._filling.cancel()
            self._leaving.add(self._filling)
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def _receive(self, messages: Sequence[Message]) -> None:
        handle = self._handlers.get(messages[0].topic)
        if handle is not None:
            handle(messages)

    def _on_job(self, job_id: str, messages: Sequence[Message]) -> None:
        whole = True
        watches = tuple(self._jobs.get(job_id, ()))
        if len(messages) == 1 and not ends(messages[0].body):
            number, frames = messages[0].number, (messages[0].body,)
            watches = tuple(watch for watch in watches if not watch.step(number, frames))
        for watch in watches:
            whole = watch.receive(messages) and whole
        if not whole:
            self._holes.add(job_id)
            if self._filling is None:
                self._filling = asyncio.create_task(self._fill_holes(), name="fill holes")

    async def _fill_holes(self) -> None:
        try:
            while self._holes:
                self.repaired += await self._fill(self._holes.pop())
        except Exception:
            log.exception("a hole is left to the next repair")
        finally:
            self._filling = None

    async def _fill(self, job_id: str) -> int:
        """Reads what live watchers of a job lack, and hands it to them; how many events."""
        count = 0
        while live := [watch for watch in self._jobs.get(job_id, ()) if watch.live]:
            after = min(watch.last for watch in live)
            read = partial(queries.events_after, job_id=job_id, after=after, limit=PAGE)
            events = await self._known(read)
            messages = [_message(event) for event in events]
            more = len(messages) == PAGE
            for watch in live:
                watch.receive(messages, more=more)
            count += len(messages)
            if not more:
                break
        return count

    async def _known(self, read: Callable[[Connection], list[Event]]) -> list[Event]:
        """Events of a job that are about to be pushed: nothing older is remembered from now on."""
        events = await self._store.read(read)
        if events:
            await self._bus.publish((), newest={events[-1].job_id: events[-1].seq})
        return events

    async def _repair_tenant(self, topic: TenantTopic) -> None:
        while True:
            events, cursor = await self._store.read(
                lambda conn: queries.changes_after(conn, topic.tenant_id, topic.cursor, limit=PAGE)
            )
            await self._bus.publish((), newest={event.job_id: event.seq for event in events})
            topic.receive([_tenant_message(event) for event in events])
            moved = cursor > topic.cursor
            topic.confirm(cursor)
            if len(events) < PAGE or not moved:
                return

    async def _follow(self, topic: str, handle: Callable[[Sequence[Message]], None]) -> None:
        self._handlers[topic] = handle
        await self._subscriber.add([topic])

    async def _forsake(self, topic: str) -> None:
        self._handlers.pop(topic, None)
        await self._subscriber.remove([topic])


def _past(conn: Connection, job_id: str, after: int | None) -> tuple[Job, list[Event]]:
    job = queries.find(conn, job_id)
    if job is None:
        raise NotFound("Job not found")
    if after is None:
        after = job.seq - 1 if job.state.ended else job.seq
    return job, queries.events_after(conn, job_id, after, limit=PAGE)


def _lags(watches: Iterable[JobWatch], seq: int | None) -> bool:
    return any(watch.live and (seq is None or watch.last < seq) for watch in watches)


def _lose(watches: Iterable[JobWatch]) -> None:
    for watch in tuple(watches):
        if watch.live:
            watch.lose()


def _message(event: Event) -> Message:
    return Message("", event.seq, event_frame(event))


def _tenant_message(event: Event) -> Message:
    return Message("", event.change or 0, event_frame(event))


def _cursored(event: Event, start: int) -> bytes:
    # Others of the same commit may still have to come: the cursor stands before all of it.
    cursor = max(start, (event.change or 0) - 1)
    return with_cursor(event_frame(event), str(cursor))
