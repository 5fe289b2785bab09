"""Who is in channels, on every bus driver: absolute, shared, and gone with its instance.

A driver's test module gives a fixture `bus` (opened), a fixture `brief` (one whose leases last
`BRIEF` seconds) and a class `Test… (PresenceSuite)`.
"""

from __future__ import annotations

import asyncio
from typing import Final

from tests.suites.bus import DAY, NOW, Reader

from jobcast.bus.base import Attendance, Bus, Crowd, Message, Renewal

BRIEF: Final = 0.4
"""Seconds of a lease in tests that wait for its end."""

ROOM: Final = "channel:t/chat"


def there(count: int, *users: str) -> Attendance:
    return Attendance(count, frozenset(users))


async def crowd(bus: Bus, topic: str = ROOM) -> Crowd:
    [standing] = await bus.standings([topic])
    return standing.crowd


async def until(bus: Bus, wanted: Crowd, topic: str = ROOM) -> None:
    """Waits until the driver's own clock has brought a crowd about."""
    async with asyncio.timeout(10):
        while await crowd(bus, topic) != wanted:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.02)


class PresenceSuite:
    """The behaviour of the bus port where it counts who is there."""

    async def test_connections_are_counted_and_users_once(self, bus: Bus) -> None:
        stated = await bus.attend("one", {ROOM: there(5, "ada", "bob")}, now=NOW)
        assert stated[ROOM].crowd == Crowd(5, 2)
        stated = await bus.attend("two", {ROOM: there(2, "bob", "eve")}, now=NOW)
        assert stated[ROOM].crowd == Crowd(7, 3)
        assert await crowd(bus) == Crowd(7, 3)

    async def test_to_state_it_again_changes_nothing(self, bus: Bus) -> None:
        for _ in range(3):
            stated = await bus.attend("one", {ROOM: there(2, "ada")}, now=NOW)
        assert stated[ROOM].crowd == Crowd(2, 1)

    async def test_who_leaves_is_stated_with_nobody(self, bus: Bus) -> None:
        await bus.attend("one", {ROOM: there(2, "ada")}, now=NOW)
        await bus.attend("two", {ROOM: there(1, "bob")}, now=NOW)
        await bus.attend("one", {ROOM: there(1, "ada")}, now=NOW)
        assert await crowd(bus) == Crowd(2, 2)
        await bus.attend("one", {ROOM: Attendance()}, now=NOW)
        assert await crowd(bus) == Crowd(1, 1)
        await bus.attend("two", {ROOM: Attendance()}, now=NOW)
        assert await crowd(bus) == Crowd(0, 0)

    async def test_each_channel_has_its_own_crowd(self, bus: Bus) -> None:
        rooms = {f"channel:t/{n}": there(n, *map(str, range(n))) for n in range(1, 6)}
        stated = await bus.attend("one", rooms, now=NOW)
        assert [stated[topic].crowd for topic in rooms] == [Crowd(n, n) for n in range(1, 6)]
        found = await bus.standings([*reversed(rooms), "channel:u/1"])
        assert [standing.crowd.count for standing in found] == [5, 4, 3, 2, 1, 0]

    async def test_a_crowd_of_thousands_is_counted(self, bus: Bus) -> None:
        many = [f"user {n}" for n in range(3_500)]
        await bus.attend("one", {ROOM: there(4_000, *many)}, now=NOW)
        await bus.attend("two", {ROOM: there(3_000, *many[2_000:], "ada")}, now=NOW)
        assert await crowd(bus) == Crowd(7_000, 3_501)

    async def test_readers_of_a_channel_are_told_of_its_crowd(self, bus: Bus) -> None:
        reader = await Reader(bus).follow(ROOM)
        await bus.attend("one", {ROOM: there(2, "ada")}, now=NOW)
        await bus.attend("two", {ROOM: there(1, "bob")}, now=NOW)
        told = await reader.read(2)
        assert told == [Message(ROOM, 0, b"2 1"), Message(ROOM, 0, b"3 2")]
        assert Crowd.unpacked(told[1].body) == Crowd(3, 2)

    async def test_a_standing_names_the_newest_message(self, bus: Bus) -> None:
        stated = await bus.attend("one", {ROOM: there(1, "ada")}, now=NOW)
        assert (stated[ROOM].offset, stated[ROOM].epoch) == (0, "")
        await bus.post(ROOM, b"1", key=None, now=NOW)
        post = await bus.post(ROOM, b"2", key=None, now=NOW)
        renewed = await bus.renew("one", {ROOM: there(1, "ada")}, now=NOW)
        standing = renewed.standings[ROOM]
        assert (standing.offset, standing.epoch) == (post.offset, post.epoch)
        assert await bus.standings([ROOM]) == [standing]

    async def test_what_stands_as_it_was_stated_need_not_be_stated_anew(self, bus: Bus) -> None:
        stated = {ROOM: there(2, "ada"), "channel:t/b": there(1, "bob")}
        await bus.attend("one", stated, now=NOW)
        renewed = await bus.renew("one", stated, now=NOW)
        assert renewed.unknown == set()
        assert {topic: s.crowd for topic, s in renewed.standings.items()} == {
            ROOM: Crowd(2, 1),
            "channel:t/b": Crowd(1, 1),
        }
        assert await bus.renew("one", {}, now=NOW) == Renewal({}, set())

    async def test_what_was_lost_is_asked_for_again(self, bus: Bus) -> None:
        await bus.attend("one", {ROOM: there(1, "ada")}, now=NOW)
        renewed = await bus.renew("one", {ROOM: there(2, "ada"), "channel:t/b": there(1)}, now=NOW)
        assert renewed.unknown == {ROOM, "channel:t/b"}

    async def test_who_departs_counts_no_longer(self, bus: Bus) -> None:
        await bus.attend("one", {ROOM: there(2, "ada"), "channel:t/b": there(1, "ada")}, now=NOW)
        await bus.attend("two", {ROOM: there(1, "bob")}, now=NOW)
        await bus.depart("one")
        assert await crowd(bus) == Crowd(1, 1)
        assert await crowd(bus, "channel:t/b") == Crowd(0, 0)
        await bus.depart("one")

    async def test_an_instance_that_does_not_renew_is_gone(self, brief: Bus) -> None:
        reader = await Reader(brief).follow(ROOM)
        await brief.attend("dead", {ROOM: there(3, "ada", "bob")}, now=NOW)
        stated = {ROOM: there(1, "ada")}
        await brief.attend("live", stated, now=NOW)
        async with asyncio.timeout(10):
            while True:
                renewed = await brief.renew("live", stated, now=NOW)
                if renewed.standings[ROOM].crowd == Crowd(1, 1):
                    break
                assert renewed.standings[ROOM].crowd == Crowd(4, 2)
                await asyncio.sleep(BRIEF / 10)
        assert renewed.unknown == set()
        # The others are told, without a question of theirs.
        assert (await reader.read(3))[-1] == Message(ROOM, 0, b"1 1")

    async def test_an_instance_that_was_stalled_is_told_to_state_anew(self, brief: Bus) -> None:
        stated = {ROOM: there(2, "ada")}
        await brief.attend("stalled", stated, now=NOW)
        await until(brief, Crowd(0, 0))
        renewed = await brief.renew("stalled", stated, now=NOW)
        assert renewed.unknown == {ROOM}
        again = await brief.attend("stalled", stated, now=NOW)
        assert again[ROOM].crowd == Crowd(2, 1)

    async def test_renewals_keep_an_instance_for_as_long_as_they_come(self, brief: Bus) -> None:
        stated = {ROOM: there(2, "ada")}
        await brief.attend("live", stated, now=NOW)
        loop = asyncio.get_running_loop()
        end = loop.time() + 3 * BRIEF
        while loop.time() < end:
            await brief.renew("live", stated, now=NOW)
            assert await crowd(brief) == Crowd(2, 1)
            await asyncio.sleep(BRIEF / 10)

    # ── lists ────────────────────────────────────────────────────────────────────────────────

    async def test_channels_are_listed_where_somebody_is_or_was(self, bus: Bus) -> None:
        await bus.post("channel:t/posted", b"", key=None, now=NOW)
        await bus.attend("one", {"channel:t/joined": there(1, "ada")}, now=NOW)
        await bus.attend("one", {"channel:t/left": there(1, "ada")}, now=NOW)
        await bus.attend("one", {"channel:t/left": Attendance()}, now=NOW)
        await bus.history("channel:t/looked-at", after=0, epoch=None, now=NOW)
        await bus.post("channel:t:u/elsewhere", b"", key=None, now=NOW)
        assert await bus.channels("channel:t", now=NOW) == ["joined", "left", "posted"]
        assert await bus.channels("channel:t:u", now=NOW) == ["elsewhere"]
        assert await bus.channels("channel:nobody", now=NOW) == []

    async def test_a_channel_is_listed_for_a_day_after_the_last_one_left(self, bus: Bus) -> None:
        await bus.post("channel:t/old", b"", key=None, now=NOW)
        await bus.attend("one", {"channel:t/kept": there(1, "ada")}, now=NOW)
        later = NOW + DAY
        await bus.renew("one", {"channel:t/kept": there(1, "ada")}, now=later - 1)
        assert await bus.channels("channel:t", now=later - 1) == ["kept", "old"]
        assert await bus.channels("channel:t", now=later) == ["kept"]
