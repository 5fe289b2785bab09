"""Rooms of gateways on one bus: order, holes, lost histories, and counts that are true."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from jobcast.bus.base import Attendance, Crowd, Message, Post, channel_topic
from jobcast.bus.memory import MemoryBus
from jobcast.domain.errors import Unavailable
from jobcast.gateway.attendances import HOLD_SECONDS
from jobcast.gateway.room_watching import RoomWatch
from jobcast.gateway.rooms import Rooms
from jobcast.runtime.clock import FakeClock
from jobcast.wire.frames import message_body
from jobcast.wire.messages import Sender

ROOM = channel_topic("acme", "chat")


class Bus(MemoryBus):
    """Loses what it is told to lose."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf = False
        self.away = False

    async def publish(
        self, messages: Sequence[Message], *, newest: Mapping[str, int] | None = None
    ) -> None:
        if not self.deaf:
            await super().publish(messages, newest=newest)

    async def attend(self, *args: Any, **more: Any) -> Any:
        self._there()
        return await super().attend(*args, **more)

    async def renew(self, *args: Any, **more: Any) -> Any:
        self._there()
        return await super().renew(*args, **more)

    def forget(self) -> None:
        """As a Redis that was emptied."""
        for kept in (self._channels, self._rooms, self._leases):
            kept.clear()

    def _there(self) -> None:
        if self.away:
            raise Unavailable("Redis cannot be used right now: try again.")


class Ear:
    """Someone in a channel, and all they heard."""

    def __init__(self, rooms: Rooms, watch: RoomWatch) -> None:
        self.rooms = rooms
        self.watch = watch
        self.frames: list[dict[str, Any]] = []
        watch.start(self._hear)

    def of(self, type: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == type]

    @property
    def said(self) -> list[Any]:
        return [frame["data"] for frame in self.of("message")]

    @property
    def crowds(self) -> list[tuple[int, int]]:
        return [(frame["count"], frame["users"]) for frame in self.of("presence")]

    async def leave(self) -> None:
        await self.rooms.leave(self.watch)

    def _hear(self, frames: Sequence[bytes]) -> None:
        self.frames += map(json.loads, frames)


class Town:
    """A bus, and as many gateways as a test asks for."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bus = Bus()

    def gateway(self) -> Rooms:
        return Rooms(self.bus, self.clock)

    async def join(
        self, rooms: Rooms, user: str = "ada", *, after: int | None = None, epoch: str | None = None
    ) -> Ear:
        watch = await rooms.join(ROOM, channel="chat", user=user, after=after, epoch=epoch)
        return Ear(rooms, watch)

    async def say(self, *data: Any) -> Post:
        for item in data:
            body = message_body(
                sender=Sender(id="u", name="u"),
                job_id=None,
                data=json.dumps(item),
                at=self.clock.now(),
            )
            post = await self.bus.post(ROOM, body, key=None, now=self.clock.now())
        return post

    async def crowd(self) -> Crowd:
        [standing] = await self.bus.standings([ROOM])
        return standing.crowd


@pytest.fixture
def town() -> Iterator[Town]:
    yield Town()


async def settled() -> None:
    """Lets what was started in the background come to its end."""
    for _ in range(20):
        await asyncio.sleep(0)


# ── messages ──────────────────────────────────────────────────────────────────────────────────


async def test_all_gateways_hear_a_message_once_and_in_order(town: Town) -> None:
    ears = [await town.join(town.gateway(), user) for user in "abc"]
    ears.append(await town.join(ears[0].rooms, "d"))
    await town.say(1, 2, 3)
    for ear in ears:
        assert ear.said == [1, 2, 3]
        assert [frame["offset"] for frame in ear.of("message")] == [1, 2, 3]


async def test_a_message_that_was_lost_comes_before_the_next_one(town: Town) -> None:
    rooms = town.gateway()
    ear = await town.join(rooms)
    await town.say(1)
    town.bus.deaf = True
    await town.say(2, 3)
    town.bus.deaf = False
    await town.say(4)
    await settled()
    assert ear.said == [1, 2, 3, 4]
    assert rooms.repaired == 3
    assert ear.of("gap") == []


async def test_the_last_message_is_not_lost_either(town: Town) -> None:
    rooms = town.gateway()
    ear = await town.join(rooms)
    town.bus.deaf = True
    await town.say(1, 2)
    assert ear.said == []
    await rooms.renew()
    await settled()
    assert ear.said == [1, 2]
    await rooms.renew()
    await settled()
    assert ear.said == [1, 2]


async def test_more_than_is_kept_leaves_a_gap(town: Town) -> None:
    rooms = town.gateway()
    ear = await town.join(rooms)
    town.bus.deaf = True
    await town.say(*range(1, 131))
    await rooms.renew()
    await settled()
    [gap] = ear.of("gap")
    assert (gap["channel"], gap["from"], gap["to"]) == ("chat", 1, 30)
    assert ear.said == list(range(31, 131))
    assert ear.frames.index(gap) < ear.frames.index(ear.of("message")[0])


async def test_a_history_that_was_lost_is_said_aloud(town: Town) -> None:
    rooms = town.gateway()
    ear, late = await town.join(rooms), await town.join(rooms, "bob")
    await town.say(1, 2)
    town.bus.forget()
    post = await town.say("new life")
    await settled()
    [gap] = ear.of("gap")
    assert (gap["from"], gap["to"], gap["epoch"]) == (3, None, post.epoch)
    assert ear.said == late.said == [1, 2, "new life"]
    back = await town.join(rooms, after=1, epoch=ear.watch.epoch)
    assert back.watch.recovered is True  # the epoch that the gap named


async def test_who_joins_while_messages_come_hears_each_once(town: Town) -> None:
    rooms = town.gateway()
    await town.say(1, 2)
    watch = await rooms.join(ROOM, channel="chat", user="ada", after=0, epoch=None)
    await town.say(3)
    ear = Ear(rooms, watch)
    await town.say(4)
    assert ear.said == [1, 2, 3, 4]


async def test_one_topic_is_followed_only_while_somebody_is_there(town: Town) -> None:
    rooms = town.gateway()
    one, two = await town.join(rooms), await town.join(rooms)
    assert (rooms.topics, rooms.watches) == (1, 2)
    await one.leave()
    assert await town.bus.wanted([ROOM]) == {ROOM}
    await two.leave()
    assert await town.bus.wanted([ROOM]) == set()
    assert (rooms.topics, rooms.watches) == (0, 0)


async def test_events_of_jobs_pass_as_they_are(town: Town) -> None:
    ear = await town.join(town.gateway())
    await town.bus.publish([Message(ROOM, 0, b'{"type":"job:pending","jobId":"j"}')])
    assert ear.of("job:pending") == [{"type": "job:pending", "jobId": "j"}]


# ── presence ──────────────────────────────────────────────────────────────────────────────────


async def test_who_joins_is_counted_in_the_answer_over_all_gateways(town: Town) -> None:
    one, two = town.gateway(), town.gateway()
    for number, (rooms, user) in enumerate([(one, "ada"), (two, "ada"), (two, "bob")], start=1):
        ear = await town.join(rooms, user)
        assert ear.watch.crowd == Crowd(number, len({"ada", user}) if number > 1 else 1)


async def test_a_storm_of_reconnects_ends_in_the_truth_and_few_words(town: Town) -> None:
    one, two = town.gateway(), town.gateway()
    watcher = await town.join(one, "watcher")
    for round_ in range(3):
        ears = await asyncio.gather(
            *(town.join((one, two)[n % 2], f"user {n % 50}") for n in range(200))
        )
        assert await town.crowd() == Crowd(201, 51)
        await asyncio.gather(*(ear.leave() for ear in ears))
        for rooms in (one, two):
            await rooms.settle()
        assert await town.crowd() == Crowd(1, 1), round_
    await one.settle()
    # Hundreds came and went; who stayed was told a few times.
    assert len(watcher.crowds) <= 6


async def test_leaves_are_told_with_the_next_settling(town: Town) -> None:
    rooms = town.gateway()
    one, two = await town.join(rooms, "ada"), await town.join(rooms, "bob")
    await rooms.settle()
    assert one.crowds == [(2, 2)]
    await two.leave()
    assert await town.crowd() == Crowd(2, 2)
    town.clock.advance(1)
    await rooms.settle()
    assert one.crowds == [(2, 2), (1, 1)]


async def test_a_drain_holds_leaves_back(town: Town) -> None:
    going, staying = town.gateway(), town.gateway()
    ears = [await town.join(going, f"user {n}") for n in range(3)]
    going.hold()
    for ear in ears[:2]:
        await ear.leave()
    await going.settle()
    assert await town.crowd() == Crowd(3, 3)
    back = await town.join(staying, "user 0")
    assert (await town.crowd()).users == 3
    town.clock.advance(HOLD_SECONDS)
    await going.settle()
    assert await town.crowd() == Crowd(2, 2)
    await ears[2].leave()
    await going.close()  # with someone still held back
    assert await town.crowd() == Crowd(1, 1)
    await back.leave()


async def test_what_was_lost_is_stated_anew(town: Town) -> None:
    """Redis was emptied, or this process was stopped for longer than its lease."""
    rooms = town.gateway()
    ear = await town.join(rooms)
    town.bus.forget()
    assert await town.crowd() == Crowd(0, 0)
    await rooms.renew()
    assert await town.crowd() == Crowd(1, 1)
    await ear.leave()


async def test_while_the_bus_is_away_nobody_joins_and_nobody_is_forgotten(town: Town) -> None:
    rooms = town.gateway()
    ear, other = await town.join(rooms), await town.join(rooms, "bob")
    town.bus.away = True
    with pytest.raises(Unavailable):
        await town.join(rooms, "eve")
    await other.leave()
    await rooms.renew()
    await rooms.settle()
    town.bus.away = False
    assert await town.crowd() == Crowd(2, 2)
    await rooms.settle()
    assert await town.crowd() == Crowd(1, 1)
    await ear.leave()
    assert rooms.present == 0


async def test_a_gateway_that_closes_takes_its_people_with_it(town: Town) -> None:
    one, two = town.gateway(), town.gateway()
    await town.join(one)
    stays = await town.join(two, "bob")
    await one.close()
    assert await town.crowd() == Crowd(1, 1)
    assert stays.watch.crowd == Crowd(2, 2)


async def test_who_is_gone_without_a_word_is_told_by_the_others(town: Town) -> None:
    dead, live = town.gateway(), town.gateway()
    await town.join(dead)
    ear = await town.join(live, "bob")
    town.bus._leases[dead._instance] = 0.0  # its lease ran out
    await live.renew()
    assert ear.crowds == [(1, 1)]
    assert await town.crowd() == Crowd(1, 1)


async def test_a_guest_is_admitted_once_over_all_gateways(town: Town) -> None:
    one, two = town.gateway(), town.gateway()
    await one.admit("Eve", "connection 1")
    with pytest.raises(Unavailable, match="A guest of this name is here already"):
        await two.admit("Eve", "connection 2")
    one.hold()  # a guest who is sent elsewhere may come in there at once
    one.dismiss("Eve", "connection 1")
    await one.settle()
    await two.admit("Eve", "connection 3")


async def test_a_caller_that_gives_up_is_not_counted(town: Town) -> None:
    rooms = town.gateway()
    joining = asyncio.create_task(town.join(rooms))
    await asyncio.sleep(0)
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    await rooms.settle()
    assert rooms.present == 0
    assert await town.crowd() == Crowd(0, 0)
    assert Attendance() == rooms._attendances.of(ROOM)
