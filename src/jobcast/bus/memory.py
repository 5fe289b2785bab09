"""The bus of one process: calls, no copies, no queue."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import groupby
from typing import Final

import structlog

from jobcast.bus.base import (
    KEPT_MS,
    LISTED_CHANNELS,
    Attendance,
    Bus,
    Crowd,
    History,
    Message,
    Post,
    Renewal,
    Standing,
    Subscriber,
)
from jobcast.bus.remembered import Remembered
from jobcast.runtime.ids import new_id

KEPT_MESSAGES = 100
"""A channel's history is this long at most."""

KEPT_CHANNELS = 10_000
"""Channels with a history; beyond, the one that was silent longest is forgotten."""

KEPT_BYTES = 64 * 1024 * 1024
"""Of all histories together; beyond, the channel that was silent longest is forgotten."""

KEPT_KEYS = 100_000
"""Keys of posts that are remembered, for a day at most; beyond, the oldest one is forgotten."""

LEASE_SECONDS = 6.5
"""An instance that has not renewed for so long is gone, with all who were there through it."""

Receive = Callable[[Sequence[Message]], None]

log: Final = structlog.get_logger("jobcast.bus")


class MemoryBus(Bus):
    """Readers get messages before `publish` returns.

    With `hints` False nothing is ever received, as if every message were lost: whoever listens
    must then live by polling and repair alone.
    """

    distant = False
    degraded: None = None
    lag: float = 0.0

    def __init__(self, *, hints: bool = True, lease: float = LEASE_SECONDS) -> None:
        self._hints = hints
        self._lease = lease
        self._leases: dict[str, float] = {}
        self._rooms: dict[str, dict[str, Attendance]] = {}
        self._keys: OrderedDict[tuple[str, str], tuple[Post, int]] = OrderedDict()
        self._active: OrderedDict[str, int] = OrderedDict()
        self._readers: dict[str, list[Receive]] = {}
        self._remembered = Remembered()
        self._channels: OrderedDict[str, _Channel] = OrderedDict()
        self._bytes = 0

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        self._readers.clear()

    async def wanted(self, topics: Iterable[str]) -> Set[str]:
        if not self._readers:
            return frozenset()
        return {topic for topic in topics if topic in self._readers}

    async def publish(
        self, messages: Sequence[Message], *, newest: Mapping[str, int] | None = None
    ) -> None:
        if newest:
            self._remembered.raise_floors(newest)
        if not self._hints:
            return
        for topic, group in groupby(messages, key=lambda message: message.topic):
            readers = self._readers.get(topic)
            if readers:
                batch = list(group)
                for receive in tuple(readers):
                    try:
                        receive(batch)
                    except Exception:  # a reader's fault: the others and the publisher go on
                        log.exception("a reader failed", topic=topic)

    def subscriber(self, receive: Receive) -> Subscriber:
        return _MemorySubscriber(self._readers, receive)

    async def post(self, channel: str, body: bytes, *, key: str | None, now: int) -> Post:
        if key is not None:
            before = self._keys.get((channel, key))
            if before is not None and before[1] > now - KEPT_MS:
                return before[0]
        kept = self._channel(channel)
        self._channels.move_to_end(channel)
        self._touch(channel, now)
        size = kept.size
        message = kept.append(channel, body, now=now)
        self._bytes += kept.size - size
        while self._bytes > KEPT_BYTES and len(self._channels) > 1:
            self._forget_one()
        post = Post(message.number, kept.epoch)
        if key is not None:
            self._keys.pop((channel, key), None)
            self._keys[channel, key] = (post, now)
            if len(self._keys) > KEPT_KEYS:
                self._keys.popitem(last=False)
        await self.publish([message])
        return post

    async def history(self, channel: str, *, after: int, epoch: str | None, now: int) -> History:
        kept = self._channel(channel)
        before = kept.size
        found = kept.since(after, epoch, now=now)
        self._bytes += kept.size - before
        return found

    async def recall(self, job_id: str) -> bytes | None:
        return self._remembered.recall(job_id)

    async def remember(self, job_id: str, seq: int, body: bytes, *, seconds: int) -> None:
        self._remembered.remember(job_id, seq, body, seconds=seconds)

    async def attend(
        self, instance: str, rooms: Mapping[str, Attendance], *, now: int
    ) -> Mapping[str, Standing]:
        self._leases[instance] = time.monotonic() + self._lease
        for topic, attendance in rooms.items():
            room = self._rooms.setdefault(topic, {})
            if attendance.count:
                room[instance] = attendance
                self._touch(topic, now)
            else:
                room.pop(instance, None)
        answer = {}
        for topic in rooms:
            answer[topic] = self._standing(topic)
            await self.publish([Message(topic, 0, answer[topic].crowd.packed())])
        return answer

    async def renew(self, instance: str, rooms: Mapping[str, Attendance], *, now: int) -> Renewal:
        await self._bury()
        self._leases[instance] = time.monotonic() + self._lease
        unknown = {
            topic
            for topic, stated in rooms.items()
            if self._rooms.get(topic, {}).get(instance, Attendance()) != stated
        }
        for topic in rooms:
            self._touch(topic, now)
        return Renewal({topic: self._standing(topic) for topic in rooms}, unknown)

    async def depart(self, instance: str) -> None:
        self._leases.pop(instance, None)
        await self._bury()

    async def standings(self, channels: Sequence[str]) -> Sequence[Standing]:
        await self._bury()
        return [self._standing(topic) for topic in channels]

    async def channels(self, scope: str, *, now: int) -> Sequence[str]:
        found = [
            topic.partition("/")[2]
            for topic, at in self._active.items()
            if at > now - KEPT_MS and topic.startswith(f"{scope}/")
        ]
        return sorted(found[-LISTED_CHANNELS:])

    def _touch(self, topic: str, now: int) -> None:
        """Something happened in a channel."""
        self._active[topic] = now
        self._active.move_to_end(topic)
        if len(self._active) > KEPT_CHANNELS:
            self._active.popitem(last=False)

    async def _bury(self) -> None:
        """Drops what instances have left that are gone."""
        now = time.monotonic()
        for instance, until in tuple(self._leases.items()):
            if until <= now:
                del self._leases[instance]
        for topic, room in tuple(self._rooms.items()):
            gone = room.keys() - self._leases.keys()
            for instance in gone:
                del room[instance]
            if gone:
                await self.publish([Message(topic, 0, self._standing(topic).crowd.packed())])

    def _standing(self, topic: str) -> Standing:
        room = self._rooms.get(topic)
        if room is not None and not room:
            del self._rooms[topic]
        there = list((room or {}).values())
        users = frozenset[str]().union(*(attendance.users for attendance in there))
        crowd = Crowd(sum(attendance.count for attendance in there), len(users))
        kept = self._channels.get(topic)
        if kept is None:
            return Standing(crowd, 0, "")
        return Standing(crowd, kept.offset, kept.epoch)

    def _channel(self, name: str) -> "_Channel":
        kept = self._channels.get(name)
        if kept is None:
            kept = self._channels[name] = _Channel()
            if len(self._channels) > KEPT_CHANNELS:
                self._forget_one()
        return kept

    def _forget_one(self) -> None:
        """The history of the channel that was silent longest."""
        _, oldest = self._channels.popitem(last=False)
        self._bytes -= oldest.size


class _MemorySubscriber(Subscriber):
    def __init__(self, readers: dict[str, list[Receive]], receive: Receive) -> None:
        self._readers = readers
        self._receive = receive
        self._topics: set[str] = set()

    async def add(self, topics: Iterable[str]) -> None:
        for topic in set(topics) - self._topics:
            self._topics.add(topic)
            self._readers.setdefault(topic, []).append(self._receive)

    async def remove(self, topics: Iterable[str]) -> None:
        for topic in self._topics.intersection(topics):
            self._topics.discard(topic)
            readers = self._readers.get(topic)
            if readers and self._receive in readers:
                readers.remove(self._receive)
                if not readers:
                    del self._readers[topic]

    async def close(self) -> None:
        await self.remove(tuple(self._topics))


class _Channel:
    """The history of one channel."""

    def __init__(self) -> None:
        self.epoch = new_id()
        self.offset = 0
        self.size = 0
        self._kept: deque[tuple[int, Message]] = deque()

    def append(self, topic: str, body: bytes, *, now: int) -> Message:
        self._forget(now)
        self.offset += 1
        message = Message(topic, self.offset, body, self.epoch)
        self._kept.append((now, message))
        self.size += len(body)
        if len(self._kept) > KEPT_MESSAGES:
            self._drop()
        return message

    def since(self, after: int, epoch: str | None, *, now: int) -> History:
        self._forget(now)
        same = epoch is None or epoch == self.epoch
        start = after if same else 0
        found = [message for _, message in self._kept if message.number > start]
        complete = same and after <= self.offset and len(found) == self.offset - after
        return History(found, self.offset, self.epoch, complete)

    def _forget(self, now: int) -> None:
        while self._kept and self._kept[0][0] <= now - KEPT_MS:
            self._drop()

    def _drop(self) -> None:
        _, message = self._kept.popleft()
        self.size -= len(message.body)
