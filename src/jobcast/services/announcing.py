"""Telling the bus what was committed: called after every commit, never before."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final

import msgspec
import structlog

from jobcast.bus.base import (
    ANY_QUEUE,
    WEBHOOKS,
    Bus,
    Message,
    channel_topic,
    job_topic,
    queue_topic,
    session_topic,
    tenant_topic,
)
from jobcast.domain.job import Event, Job, State
from jobcast.runtime.batcher import Batcher, Overloaded
from jobcast.store.base import Changed
from jobcast.wire.frames import event_frame

log: Final = structlog.get_logger("jobcast.announcing")

FEW: Final = 10
FEW_BYTES: Final = 16_384
"""Up to so many events, so large together, are published to a distant bus without asking who wants
them: the question would take longer than they do, and an idle system is the one that is timed."""


class _News(msgspec.Struct, frozen=True):
    """Events of jobs, job by job, and topics to wake."""

    runs: Sequence[Sequence[Event]]
    woken: Set[str] = frozenset()


class Announcer:
    """Turns committed changes into messages for watchers, workers and the webhook loop.

    Nothing here raises: the change is committed, and whoever misses a message repairs itself.
    Where the bus is distant nobody waits for it either: news queue up, in order, and travel
    together; what the queue has no room for is dropped and counted.
    """

    def __init__(self, bus: Bus) -> None:
        self.dropped: int = 0
        self._bus = bus
        self._queue: Batcher[_News, None] = Batcher(self._flush)

    async def changed(self, changes: Iterable[Changed]) -> None:
        """Announces jobs that changed: their events, and whom that should wake."""
        runs: list[Sequence[Event]] = []
        woken: set[str] = set()
        for change in changes:
            runs.append(change.events)
            woken.update(_wakes(change.job))
        await self._announce(_News(runs, woken))

    async def appended(self, runs: Iterable[Sequence[Event]]) -> None:
        """Announces events that change no status, run by run."""
        await self._announce(_News(list(runs)))

    async def void(self, newest: Mapping[str, int]) -> None:
        """Returns when no job is remembered as it was before this seq: its user asks next."""
        await self._bus.publish((), newest=newest)

    async def cancelling(self, job: Job) -> None:
        """Tells the session that runs the job to stop it."""
        if job.session_id is not None:
            await self._bus.publish([Message(session_topic(job.session_id), 0, job.id.encode())])

    async def drained(self) -> None:
        """Returns when all news are on the bus."""
        await self._queue.drained()

    async def _announce(self, news: _News) -> None:
        if not self._bus.distant:
            await self._tell([news])
            return
        try:
            self._queue.put(news).add_done_callback(_seen)
        except Overloaded:
            self.dropped += 1

    async def _flush(self, batch: Sequence[_News]) -> Sequence[None]:
        try:
            await self._tell(batch)
        except Exception:
            log.exception("news not announced")
        return [None] * len(batch)

    async def _tell(self, batch: Sequence[_News]) -> None:
        topics: dict[str, None] = {}
        for news in batch:
            for events in news.runs:
                topics.update(dict.fromkeys(_topics(events)))
            topics.update(dict.fromkeys(news.woken))
        newest = {
            events[-1].job_id: events[-1].seq for news in batch for events in news.runs if events
        }
        unasked = self._bus.distant and _few(batch)
        wanted = topics.keys() if unasked else await self._bus.wanted(topics)
        messages: list[Message] = []
        for news in batch:
            for events in news.runs if wanted else ():
                messages += self._events(events, wanted)
        woken = {topic for news in batch for topic in news.woken}
        messages += [Message(topic) for topic in woken & wanted]
        if messages or newest:
            await self._bus.publish(messages, newest=newest)

    def _events(self, events: Sequence[Event], wanted: Set[str]) -> list[Message]:
        topics = _topics(events)
        if wanted.isdisjoint(topics):
            return []
        messages = []
        for event in events:
            try:
                frame = event_frame(event)
            except ValueError:
                log.exception("event has no frame", job_id=event.job_id, seq=event.seq)
                continue
            if topics[0] in wanted:
                messages.append(Message(topics[0], event.seq, frame))
            if event.change is not None and topics[1] in wanted:
                messages.append(Message(topics[1], event.change, frame))
            if event.channel is not None and topics[2] in wanted:
                messages.append(Message(topics[2], 0, frame))
        return messages


def _few(batch: Sequence[_News]) -> bool:
    sizes = [len(event.data) for news in batch for events in news.runs for event in events]
    return len(sizes) <= FEW and sum(sizes) <= FEW_BYTES


def _topics(events: Sequence[Event]) -> list[str]:
    """Where events of one job go: to its own watchers, its tenant's, and its channel's."""
    if not events:
        return []
    first = events[0]
    topics = [job_topic(first.job_id), tenant_topic(first.tenant_id)]
    if first.channel is not None:
        topics.append(channel_topic(first.tenant_id, first.channel))
    return topics


def _seen(future: "asyncio.Future[None]") -> None:
    """What failed was logged where it did."""
    if not future.cancelled():
        future.exception()


def _wakes(job: Job) -> Iterable[str]:
    if job.state is State.READY:
        yield queue_topic(job.queue)
        yield ANY_QUEUE
    elif job.state.ended and job.webhook_url is not None:
        yield WEBHOOKS
