"""`RedisBus`: the bus port on Redis or Valkey (7 or newer), for as many processes as there are."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import groupby
from typing import Any, Final, TypeVar

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from jobcast.bus.base import (
    Attendance,
    Bus,
    History,
    Message,
    Post,
    Renewal,
    Standing,
    Subscriber,
)
from jobcast.bus.memory import LEASE_SECONDS
from jobcast.bus.redis.channels import Channels
from jobcast.bus.redis.listener import AWAY, CANARY_EVERY, DEAF_AFTER, Listener
from jobcast.bus.redis.presence import Presence
from jobcast.bus.redis.remembered import Remembered
from jobcast.domain.errors import Unavailable
from jobcast.runtime.batcher import Batcher, Overloaded

PREFIX: Final = "jobcast:"
"""What all keys and topics in Redis begin with."""

ANSWER_SECONDS: Final = 2.0
"""How long Redis may take to answer."""

QUIET_SECONDS: Final = 0.5
"""After a failure nothing is tried for so long: what is published meanwhile is dropped."""

BATCHES: Final = 5_000
"""Publishes that may wait; one more is dropped, and the store repairs."""

Receive = Callable[[Sequence[Message]], None]
T = TypeVar("T")
log: Final = structlog.get_logger("jobcast.bus")


_News = tuple[Sequence[Message], Mapping[str, int]]
"""Messages, and the floors that are raised before they go out."""


class RedisBus(Bus):
    """Pub/sub, channel histories and remembered jobs in Redis.

    Redis may be restarted, flushed or away: publishing then drops, posting raises Unavailable,
    and `degraded` says so. With `hints` False nothing is ever received or published.
    """

    distant = True

    def __init__(
        self,
        url: str,
        *,
        hints: bool = True,
        prefix: str = PREFIX,
        canary_every: float = CANARY_EVERY,
        deaf_after: float = DEAF_AFTER,
        lease: float = LEASE_SECONDS,
    ) -> None:
        self.dropped: int = 0
        self._hints = hints
        self._prefix = prefix
        self._quiet_until = 0.0
        self._readers: dict[str, list[Receive]] = {}
        options: dict[str, Any] = {
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": ANSWER_SECONDS,
        }
        self._remembered = Remembered(prefix)
        self._client: Redis = Redis.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            redis_connect_func=self._remembered.connected,
            **options,
        )
        self._channels = Channels(self._client, prefix=prefix)
        self._presence = Presence(self._client, prefix=prefix, lease=lease)
        self._publishing: Batcher[_News, None] = Batcher(self._flush, limit=500, capacity=BATCHES)
        # Redis is silent there for as long as it likes.
        self._listening: ConnectionPool = ConnectionPool.from_url(
            url, socket_timeout=None, **options
        )
        self._listener = Listener(
            self._listening.make_connection,
            self._receive,
            topics=lambda: [prefix + topic for topic in self._readers],
            canary=self._sing,
            prefix=prefix,
            canary_every=canary_every,
            deaf_after=deaf_after,
        )

    @property
    def degraded(self) -> str | None:
        """Why watchers may be late, or None."""
        if not self._hints or self._listener.connected:
            return None
        return "Redis does not answer: events reach watchers late, by repair."

    @property
    def lag(self) -> float | None:
        """Seconds that the newest canary took."""
        return self._listener.lag

    async def open(self) -> None:
        if self._hints:
            await self._listener.open()

    async def close(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._publishing.drained()
        except TimeoutError:
            log.warning("messages were not published before the end")
        await self._listener.close()
        await self._client.aclose()
        await self._listening.disconnect()
        self._readers.clear()

    async def wanted(self, topics: Iterable[str]) -> Set[str]:
        asked = list(topics)
        if not asked or not self._hints or self._quiet:
            return frozenset()
        try:
            counts = await self._client.pubsub_numsub(*(self._prefix + topic for topic in asked))
        except AWAY:
            self._hush()
            return frozenset()
        return {topic for topic, (_, count) in zip(asked, counts, strict=True) if int(count) > 0}

    async def publish(
        self, messages: Sequence[Message], *, newest: Mapping[str, int] | None = None
    ) -> None:
        if not self._hints or not (messages or newest):
            return
        try:
            await self._publishing.put((messages, newest or {}))
        except Overloaded:
            self.dropped += len(messages)

    def subscriber(self, receive: Receive) -> Subscriber:
        return _RedisSubscriber(self._readers, receive, self._listener, self._prefix)

    async def post(self, channel: str, body: bytes, *, key: str | None, now: int) -> Post:
        return await _asked(self._channels.post(channel, body, key=key, now=now))

    async def history(self, channel: str, *, after: int, epoch: str | None, now: int) -> History:
        return await _asked(self._channels.history(channel, after=after, epoch=epoch, now=now))

    async def channels(self, scope: str, *, now: int) -> Sequence[str]:
        return await _asked(self._channels.names(scope, now=now))

    async def attend(
        self, instance: str, rooms: Mapping[str, Attendance], *, now: int
    ) -> Mapping[str, Standing]:
        return await _asked(self._presence.attend(instance, rooms, now=now))

    async def renew(self, instance: str, rooms: Mapping[str, Attendance], *, now: int) -> Renewal:
        return await _asked(self._presence.renew(instance, rooms, now=now))

    async def depart(self, instance: str) -> None:
        await _asked(self._presence.depart(instance))

    async def standings(self, channels: Sequence[str]) -> Sequence[Standing]:
        return await _asked(self._presence.standings(channels))

    async def recall(self, job_id: str) -> bytes | None:
        if not self._hints or self._quiet:
            return None
        try:
            return await self._remembered.recall(self._client, job_id)
        except AWAY:
            self._hush()
            return None

    async def remember(self, job_id: str, seq: int, body: bytes, *, seconds: int) -> None:
        if not self._hints or self._quiet:
            return
        try:
            await self._remembered.remember(self._client, job_id, seq, body, seconds=seconds)
        except AWAY:
            self._hush()

    @property
    def _quiet(self) -> bool:
        return time.monotonic() < self._quiet_until

    def _hush(self) -> None:
        self._quiet_until = time.monotonic() + QUIET_SECONDS

    async def _flush(self, batches: Sequence[_News]) -> Sequence[None]:
        count = sum(len(messages) for messages, _ in batches)
        if self._quiet:
            self.dropped += count
            return [None] * len(batches)
        newest: dict[str, int] = {}
        for _, raised in batches:
            newest.update(raised)
        pipeline = self._client.pipeline(transaction=False)
        run, raising = self._remembered.run, self._remembered.raising(newest)
        if raising is not None:
            pipeline.eval(*raising)
        for messages, _ in batches:
            for message in messages:
                pipeline.publish(self._prefix + message.topic, _packed(message))
        try:
            await pipeline.execute()
            again = self._remembered.raising(newest)
            if run != self._remembered.run and again is not None:
                await self._client.eval(*again)  # the server was started anew meanwhile
        except AWAY as problem:
            self._hush()
            self.dropped += count
            log.info("messages were not published", count=count, problem=repr(problem))
        return [None] * len(batches)

    async def _sing(self, topic: str) -> None:
        try:
            await self._client.publish(topic, b"")
        except AWAY:
            return  # that it was not heard is what counts

    def _receive(self, news: list[tuple[bytes, bytes]]) -> None:
        for topic, group in groupby(self._unpacked(news), key=lambda message: message.topic):
            readers = self._readers.get(topic)
            if readers:
                batch = list(group)
                for receive in tuple(readers):
                    try:
                        receive(batch)
                    except Exception:  # a reader's fault: the others go on
                        log.exception("a reader failed", topic=topic)

    def _unpacked(self, news: list[tuple[bytes, bytes]]) -> Iterator[Message]:
        start = len(self._prefix)
        for topic, data in news:
            number, _, body = data.partition(b":")
            number, _, epoch = number.partition(b"@")
            if number.isdigit():
                yield Message(topic.decode()[start:], int(number), body, epoch.decode())


class _RedisSubscriber(Subscriber):
    def __init__(
        self, readers: dict[str, list[Receive]], receive: Receive, listener: Listener, prefix: str
    ) -> None:
        self._readers = readers
        self._receive = receive
        self._listener = listener
        self._prefix = prefix
        self._topics: set[str] = set()

    async def add(self, topics: Iterable[str]) -> None:
        new = set(topics) - self._topics
        first = [topic for topic in new if topic not in self._readers]
        for topic in new:
            self._topics.add(topic)
            self._readers.setdefault(topic, []).append(self._receive)
        await self._listener.follow([self._prefix + topic for topic in first])
        for topic in new.difference(first):
            await self._listener.confirmed(self._prefix + topic)

    async def remove(self, topics: Iterable[str]) -> None:
        last = []
        for topic in self._topics.intersection(topics):
            self._topics.discard(topic)
            readers = self._readers.get(topic)
            if readers and self._receive in readers:
                readers.remove(self._receive)
                if not readers:
                    del self._readers[topic]
                    last.append(self._prefix + topic)
        await self._listener.leave(last)

    async def close(self) -> None:
        await self.remove(tuple(self._topics))


def _packed(message: Message) -> bytes:
    return b"%d:%b" % (message.number, message.body)


async def _asked(question: Awaitable[T]) -> T:
    """The answer; raises Unavailable where Redis gives none."""
    try:
        return await question
    except AWAY as problem:
        raise _away(problem) from problem


def _away(problem: BaseException) -> Unavailable:
    said = " ".join(str(problem).split()) or type(problem).__name__
    return Unavailable("Redis cannot be used right now: try again.", detail=said)
