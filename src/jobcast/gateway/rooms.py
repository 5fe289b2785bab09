"""Channels of one gateway: from the bus to whoever takes part here, and who that is to the bus.

Who is here is stated to the bus in absolute numbers, in batches, under the lease of this gateway.
Every two seconds one question renews it, and answers how all joined channels stand: what was not
stated as it is (the lease ran out, Redis was emptied) is stated anew, and a message that the bus
dropped is read from the history. A crowd that changes is told a few times a second at most.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from jobcast.bus.base import Bus, Message, Standing, guest_topic
from jobcast.domain.errors import Unavailable
from jobcast.gateway.attendances import Attendances
from jobcast.gateway.room_watching import RoomTopic, RoomWatch
from jobcast.runtime.batcher import Batcher, Overloaded
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id

log: Final = structlog.get_logger("jobcast.rooms")

RENEW_EVERY: Final = 2.0
"""Seconds between renewals; the lease lasts for three of them."""

SETTLE_EVERY: Final = 0.25
"""Seconds: leaves are stated, and crowds told, this often at most."""


class Rooms:
    """Takes part in channels. `renew` and `settle` are called by tickers."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self.repaired: int = 0
        self.restated: int = 0
        self._gone_delivered = 0
        self._bus = bus
        self._clock = clock
        self._instance = new_id()
        self._rooms: dict[str, RoomTopic] = {}
        self._following: dict[str, asyncio.Task[None]] = {}
        self._attendances = Attendances()
        self._stating: Batcher[str, Standing] = Batcher(self._state, limit=1_000, capacity=50_000)
        self._holes: set[str] = set()
        self._filling: asyncio.Task[None] | None = None
        self._subscriber = bus.subscriber(self._receive)

    @property
    def watches(self) -> int:
        """Connections in channels, each for every channel it is in."""
        return sum(len(room.watches) for room in self._rooms.values())

    @property
    def delivered(self) -> int:
        """Messages handed to connections, each for every connection."""
        return self._gone_delivered + sum(room.delivered for room in self._rooms.values())

    @property
    def topics(self) -> int:
        """Channels that somebody is in here."""
        return len(self._rooms)

    @property
    def present(self) -> int:
        """Connections that this gateway counts in channels, those held back included."""
        return self._attendances.count

    async def join(
        self, topic: str, *, channel: str, user: str, after: int | None, epoch: str | None
    ) -> RoomWatch:
        """Takes part in a channel; nothing comes until the watch is started.

        With `after`, every message behind that offset that is still there; without, what comes
        from now on. Raises Unavailable while Redis is away.
        """
        room = self._rooms.get(topic)
        if room is None:
            room = self._rooms[topic] = RoomTopic(topic, channel)
        watch = RoomWatch(room, user)
        room.watches.add(watch)
        self._attendances.enter(topic, user)
        try:
            await self._follow(topic)
            standing = await self._stated(topic)
            await self._open(room, watch, standing, after=after, epoch=epoch)
        except BaseException:
            await self.leave(watch)
            raise
        return watch

    async def leave(self, watch: RoomWatch) -> None:
        """Takes part no longer."""
        watch.stop()
        self._attendances.leave(watch.topic, watch.user, now=self._clock.monotonic())
        room = self._rooms[watch.topic]
        room.watches.discard(watch)
        if not room.watches:
            del self._rooms[watch.topic]
            self._gone_delivered += room.delivered
            following = self._following.pop(watch.topic, None)
            if following is not None:
                await asyncio.wait([following])
            if watch.topic not in self._rooms:
                await self._subscriber.remove([watch.topic])

    async def admit(self, guest: str, connection: str) -> None:
        """Lets a guest in, once over all gateways; raises Unavailable while they are here."""
        topic = guest_topic(guest)
        self._attendances.enter(topic, connection)
        try:
            standing = await self._stated(topic)
            if standing.crowd.count > 1:
                raise Unavailable("A guest of this name is here already.")
        except BaseException:
            self.dismiss(guest, connection)
            raise

    def dismiss(self, guest: str, connection: str) -> None:
        """The guest has gone, and may come again elsewhere."""
        now = self._clock.monotonic()
        self._attendances.leave(guest_topic(guest), connection, now=now, at_once=True)

    async def renew(self) -> None:
        """Keeps the lease, states anew what is not known, repairs what the bus has dropped."""
        stated = self._attendances.all()
        now = self._clock.now()
        try:
            renewed = await self._bus.renew(self._instance, stated, now=now)
        except Unavailable as problem:
            log.info("presence is not renewed", problem=problem.message)
            return
        unknown = renewed.unknown & self._attendances.all().keys()
        self.restated += len(unknown)
        self._attendances.dirty |= unknown
        for topic, standing in renewed.standings.items():
            room = self._rooms.get(topic)
            if room is None:
                continue
            room.crowd = standing.crowd
            if room.begun and (standing.epoch != room.epoch or standing.offset > room.last):
                self._miss(topic)
        await self.settle()

    async def settle(self) -> None:
        """States who has come or gone, and tells crowds that have changed."""
        now = self._clock.monotonic()
        self._attendances.settle(now)
        await self._state_dirty()
        for room in tuple(self._rooms.values()):
            room.tell(now)

    def hold(self) -> None:
        """The gateway drains: who leaves now comes back elsewhere, and is counted until then."""
        self._attendances.holding = True

    async def close(self) -> None:
        """Nobody is here any more."""
        await self._subscriber.close()
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        await self._stating.drained()
        self._attendances.settle(float("inf"))
        try:
            await self._state_dirty()
            await self._bus.depart(self._instance)
        except Unavailable as problem:
            log.info("presence ends with its lease", problem=problem.message)

    # ── within ────────────────────────────────────────────────────────────────────────────────

    async def _follow(self, topic: str) -> None:
        """Returns when what is published to the topic is received here."""
        following = self._following.get(topic)
        if following is None:
            following = asyncio.create_task(self._subscriber.add([topic]), name=f"follow {topic}")
            self._following[topic] = following
        await asyncio.shield(following)

    async def _open(
        self,
        room: RoomTopic,
        watch: RoomWatch,
        standing: Standing,
        *,
        after: int | None,
        epoch: str | None,
    ) -> None:
        if after is None and standing.epoch:
            watch.open(offset=standing.offset, epoch=standing.epoch, crowd=standing.crowd)
            self._begin(room, standing.offset, standing.epoch)
            return
        now = self._clock.now()
        asked = after or 0
        history = await self._bus.history(room.topic, after=asked, epoch=epoch, now=now)
        same = epoch is None or epoch == history.epoch
        watch.open(
            offset=history.offset,
            epoch=history.epoch,
            crowd=standing.crowd,
            after=min(asked, history.offset) if same else 0,
            past=room.past(history),
            recovered=history.complete,
        )
        self._begin(room, history.offset, history.epoch)

    def _begin(self, room: RoomTopic, offset: int, epoch: str) -> None:
        if not room.begin(offset, epoch):
            self._miss(room.topic)

    async def _stated(self, topic: str) -> Standing:
        try:
            return await self._stating(topic)
        except Overloaded:
            raise Unavailable("Too many join at once. Try again in a moment.") from None

    async def _state_dirty(self) -> None:
        """States all that has changed; while the bus is away it stays to be stated."""
        stating = [self._stated(topic) for topic in self._attendances.dirty]
        for answer in await asyncio.gather(*stating, return_exceptions=True):
            if isinstance(answer, Unavailable):
                log.info("presence is not stated", problem=answer.message)
                return
            if isinstance(answer, BaseException):
                raise answer

    async def _state(self, topics: Sequence[str]) -> Sequence[Standing]:
        """One flight at a time: an older statement never comes behind a newer one."""
        stated = {topic: self._attendances.of(topic) for topic in topics}
        self._attendances.dirty -= stated.keys()
        try:
            known = await self._bus.attend(self._instance, stated, now=self._clock.now())
        except BaseException:
            self._attendances.dirty |= stated.keys()
            raise
        for topic, standing in known.items():
            room = self._rooms.get(topic)
            if room is not None:
                room.crowd = standing.crowd
        return [known[topic] for topic in topics]

    def _receive(self, messages: Sequence[Message]) -> None:
        topic = messages[0].topic
        room = self._rooms.get(topic)
        if room is not None and not room.receive(messages):
            self._miss(topic)

    def _miss(self, topic: str) -> None:
        self._holes.add(topic)
        if self._filling is None:
            self._filling = asyncio.create_task(self._fill_holes(), name="fill channels")

    async def _fill_holes(self) -> None:
        try:
            while self._holes:
                room = self._rooms.get(self._holes.pop())
                if room is not None and room.begun:
                    self.repaired += await self._fill(room)
        except Unavailable as problem:
            log.info("messages are left to the next repair", problem=problem.message)
        except Exception:
            log.exception("messages are left to the next repair")
        finally:
            self._filling = None

    async def _fill(self, room: RoomTopic) -> int:
        now = self._clock.now()
        history = await self._bus.history(room.topic, after=room.last, epoch=room.epoch, now=now)
        return room.fill(history)
