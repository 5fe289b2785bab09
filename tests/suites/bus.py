"""What every bus driver must do: order, no more than asked for, and history that owns up to gaps.

A driver's test module gives a fixture `bus` (opened) and a class `Test… (BusSuite)`. A driver may
deliver later than `publish` returns, so readers are waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jobcast.bus.base import Bus, Message

NOW = 1_800_000_000_000
DAY = 24 * 3_600_000


class Reader:
    """A listener that keeps what it gets."""

    def __init__(self, bus: Bus) -> None:
        self.got: list[Message] = []
        self.subscriber = bus.subscriber(self._receive)
        self._news = asyncio.Event()

    async def follow(self, *topics: str) -> Reader:
        await self.subscriber.add(topics)
        return self

    async def read(self, count: int) -> list[Message]:
        """The first `count` messages, once they are there."""
        async with asyncio.timeout(10):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return self.got[:count]

    def _receive(self, messages: Sequence[Message]) -> None:
        self.got += messages
        self._news.set()


def told(topic: str, *numbers: int) -> list[Message]:
    return [Message(topic, number, b"%d" % number) for number in numbers]


def plain(messages: Sequence[Message]) -> list[Message]:
    """Messages of a channel without their epoch, which is new in every test."""
    assert all(message.epoch for message in messages)
    return [Message(message.topic, message.number, message.body) for message in messages]


class BusSuite:
    """The behaviour of the bus port."""

    async def test_a_reader_gets_what_is_published_after_it_came(self, bus: Bus) -> None:
        await bus.publish(told("job:1", 1))
        reader = await Reader(bus).follow("job:1")
        await bus.publish(told("job:1", 2))
        assert await reader.read(1) == told("job:1", 2)

    async def test_each_topic_comes_in_order(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("job:1", "job:2")
        one, two = told("job:1", *range(50)), told("job:2", *range(50))
        mixed = [message for pair in zip(one, two, strict=True) for message in pair]
        await bus.publish(mixed[:33])
        await bus.publish(mixed[33:])
        got = await reader.read(100)
        assert [message for message in got if message.topic == "job:1"] == one
        assert [message for message in got if message.topic == "job:2"] == two

    async def test_bodies_come_as_they_were(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("job:1")
        body = bytes(range(256)) * 300
        await bus.publish([Message("job:1", 2**53, body), Message("job:1")])
        assert await reader.read(2) == [Message("job:1", 2**53, body), Message("job:1", 0, b"")]

    async def test_a_reader_gets_only_the_topics_it_follows(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("job:1")
        await bus.publish([*told("job:2", 1), *told("job:11", 2), *told("job:1", 3)])
        assert await reader.read(1) == told("job:1", 3)

    async def test_every_reader_of_a_topic_gets_it_once(self, bus: Bus) -> None:
        readers = [await Reader(bus).follow("job:1", "job:1") for _ in range(3)]
        await readers[0].follow("job:1")
        await bus.publish(told("job:1", 1, 2))
        for reader in readers:
            assert await reader.read(2) == told("job:1", 1, 2)

    async def test_a_topic_that_is_followed_no_longer_comes_no_longer(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("job:1", "job:2")
        other = await Reader(bus).follow("job:1")
        await reader.subscriber.remove(["job:1", "never followed"])
        await bus.publish([*told("job:1", 1), *told("job:2", 2)])
        assert await reader.read(1) == told("job:2", 2)
        assert await other.read(1) == told("job:1", 1)
        await reader.follow("job:1")
        await bus.publish(told("job:1", 3))
        assert await reader.read(2) == [*told("job:2", 2), *told("job:1", 3)]

    async def test_a_closed_reader_gets_nothing(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("job:1", "job:2")
        other = await Reader(bus).follow("job:1", "job:2")
        await reader.subscriber.close()
        await reader.subscriber.close()
        await bus.publish([*told("job:1", 1), *told("job:2", 2)])
        assert len(await other.read(2)) == 2
        assert reader.got == []

    async def test_topics_with_a_reader_are_wanted(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("job:1", "job:2")
        assert {"job:1", "job:2"} <= await bus.wanted(["job:1", "job:2", "job:3"])
        assert await bus.wanted([]) == set()
        await reader.subscriber.close()

    async def test_a_reader_that_fails_harms_neither_publisher_nor_reader(self, bus: Bus) -> None:
        def broken(_: Sequence[Message]) -> None:
            raise LookupError("no")

        await bus.subscriber(broken).add(["job:1"])
        reader = await Reader(bus).follow("job:1")
        await bus.publish(told("job:1", 1))
        await bus.publish(told("job:1", 2))
        assert await reader.read(2) == told("job:1", 1, 2)

    async def test_a_reader_may_be_told_of_news_by_news(self, bus: Bus) -> None:
        """What a reader starts when it is called can follow and leave topics."""
        reader = Reader(bus)
        tasks: list[asyncio.Task[Reader]] = []

        def receive(_: Sequence[Message]) -> None:
            tasks.append(asyncio.ensure_future(reader.follow("job:2")))

        await bus.subscriber(receive).add(["job:1"])
        first = await Reader(bus).follow("job:1")
        await bus.publish(told("job:1", 1))
        await first.read(1)
        await asyncio.gather(*tasks)
        await bus.publish(told("job:2", 2))
        assert await reader.read(1) == told("job:2", 2)

    # ── channels ─────────────────────────────────────────────────────────────────────────────

    async def test_a_post_is_numbered_kept_and_published(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("channel:t/chat")
        posts = [await bus.post("channel:t/chat", b"%d" % n, key=None, now=NOW) for n in (1, 2)]
        assert [post.offset for post in posts] == [1, 2]
        assert posts[0].epoch == posts[1].epoch
        assert plain(await reader.read(2)) == told("channel:t/chat", 1, 2)
        history = await bus.history("channel:t/chat", after=0, epoch=None, now=NOW)
        assert plain(history.messages) == told("channel:t/chat", 1, 2)
        assert (history.offset, history.epoch, history.complete) == (2, posts[0].epoch, True)

    async def test_each_channel_counts_for_itself(self, bus: Bus) -> None:
        assert (await bus.post("channel:t/a", b"", key=None, now=NOW)).offset == 1
        assert (await bus.post("channel:t/b", b"", key=None, now=NOW)).offset == 1
        assert (await bus.post("channel:t/a", b"", key=None, now=NOW)).offset == 2

    async def test_history_goes_on_after_an_offset(self, bus: Bus) -> None:
        for n in range(1, 6):
            post = await bus.post("channel:t/chat", b"%d" % n, key=None, now=NOW)
        for after in range(6):
            history = await bus.history("channel:t/chat", after=after, epoch=post.epoch, now=NOW)
            assert plain(history.messages) == told("channel:t/chat", *range(after + 1, 6))
            assert history.complete

    async def test_a_channel_that_nobody_posted_to_has_an_empty_history(self, bus: Bus) -> None:
        history = await bus.history("channel:t/quiet", after=0, epoch=None, now=NOW)
        assert (list(history.messages), history.offset, history.complete) == ([], 0, True)
        post = await bus.post("channel:t/quiet", b"1", key=None, now=NOW)
        assert post.epoch == history.epoch
        again = await bus.history("channel:t/quiet", after=0, epoch=history.epoch, now=NOW)
        assert (len(again.messages), again.complete) == (1, True)

    async def test_a_key_posts_once_and_answers_the_same(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("channel:t/chat")
        first = await bus.post("channel:t/chat", b"1", key="k", now=NOW)
        await bus.post("channel:t/chat", b"2", key="other", now=NOW)
        again = await bus.post("channel:t/chat", b"another body", key="k", now=NOW)
        assert again == first
        await bus.post("channel:t/chat", b"3", key=None, now=NOW)
        assert plain(await reader.read(3)) == told("channel:t/chat", 1, 2, 3)

    async def test_a_key_belongs_to_its_channel(self, bus: Bus) -> None:
        await bus.post("channel:t/a", b"1", key="k", now=NOW)
        history = await bus.history("channel:t/b", after=0, epoch=None, now=NOW)
        assert list(history.messages) == []
        await bus.post("channel:t/b", b"1", key="k", now=NOW)
        history = await bus.history("channel:t/b", after=0, epoch=None, now=NOW)
        assert plain(history.messages) == told("channel:t/b", 1)

    async def test_the_last_hundred_messages_are_kept(self, bus: Bus) -> None:
        for n in range(1, 151):
            post = await bus.post("channel:t/chat", b"%d" % n, key=f"k{n}", now=NOW)
        assert post.offset == 150
        whole = await bus.history("channel:t/chat", after=50, epoch=post.epoch, now=NOW)
        assert plain(whole.messages) == told("channel:t/chat", *range(51, 151))
        assert whole.complete
        holed = await bus.history("channel:t/chat", after=49, epoch=post.epoch, now=NOW)
        assert list(holed.messages) == list(whole.messages)
        assert not holed.complete

    async def test_a_key_is_known_when_its_message_is_long_gone(self, bus: Bus) -> None:
        first = await bus.post("channel:t/chat", b"1", key="k", now=NOW)
        for _ in range(150):
            await bus.post("channel:t/chat", b"", key=None, now=NOW + 1)
        assert await bus.post("channel:t/chat", b"1", key="k", now=NOW + DAY - 1) == first
        again = await bus.post("channel:t/chat", b"1", key="k", now=NOW + DAY)
        assert again.offset == 152

    async def test_messages_are_kept_for_a_day(self, bus: Bus) -> None:
        await bus.post("channel:t/chat", b"1", key="k", now=NOW)
        post = await bus.post("channel:t/chat", b"2", key=None, now=NOW + 1_000)
        late = NOW + DAY - 1
        history = await bus.history("channel:t/chat", after=0, epoch=post.epoch, now=late)
        assert (len(history.messages), history.complete) == (2, True)
        history = await bus.history("channel:t/chat", after=0, epoch=post.epoch, now=late + 1)
        assert plain(history.messages) == told("channel:t/chat", 2)
        assert not history.complete
        history = await bus.history("channel:t/chat", after=1, epoch=post.epoch, now=late + 1)
        assert history.complete
        much_later = NOW + 3 * DAY
        history = await bus.history("channel:t/chat", after=2, epoch=post.epoch, now=much_later)
        assert (list(history.messages), history.offset, history.complete) == ([], 2, True)
        assert (await bus.post("channel:t/chat", b"3", key="k", now=much_later)).offset == 3

    async def test_who_comes_from_another_epoch_gets_all_there_is_and_the_truth(
        self, bus: Bus
    ) -> None:
        for n in (1, 2):
            post = await bus.post("channel:t/chat", b"%d" % n, key=None, now=NOW)
        history = await bus.history("channel:t/chat", after=1, epoch="lost", now=NOW)
        assert plain(history.messages) == told("channel:t/chat", 1, 2)
        assert (history.epoch, history.complete) == (post.epoch, False)

    async def test_who_has_seen_more_than_there_is_learns_that_history_was_lost(
        self, bus: Bus
    ) -> None:
        post = await bus.post("channel:t/chat", b"1", key=None, now=NOW)
        history = await bus.history("channel:t/chat", after=7, epoch=post.epoch, now=NOW)
        assert (list(history.messages), history.complete) == ([], False)

    async def test_posts_at_once_are_numbered_without_a_gap(self, bus: Bus) -> None:
        reader = await Reader(bus).follow("channel:t/chat")
        posts = await asyncio.gather(
            *(bus.post("channel:t/chat", b"", key=None, now=NOW) for _ in range(50))
        )
        assert sorted(post.offset for post in posts) == list(range(1, 51))
        assert [message.number for message in await reader.read(50)] == list(range(1, 51))

    async def test_what_was_asked_for_is_remembered(self, bus: Bus) -> None:
        assert await bus.recall("1") is None
        await bus.remember("1", 3, b"\x00three:", seconds=60)
        assert await bus.recall("1") == b"\x00three:"
        assert await bus.recall("11") is None

    async def test_what_nobody_asked_for_is_not_remembered(self, bus: Bus) -> None:
        await bus.remember("1", 3, b"three", seconds=60)
        assert await bus.recall("1") is None

    async def test_something_newer_makes_what_is_remembered_void(self, bus: Bus) -> None:
        for seq in (2, 3, 4):
            await bus.recall("1")
            await bus.remember("1", 3, b"three", seconds=60)
            await bus.publish((), newest={"1": seq, "2": 9})
            assert await bus.recall("1") == (b"three" if seq < 4 else None)
        await bus.remember("1", 3, b"three", seconds=60)
        assert await bus.recall("1") is None
        await bus.remember("1", 4, b"four", seconds=60)
        assert await bus.recall("1") == b"four"

    async def test_who_read_before_something_newer_fills_nothing_in(self, bus: Bus) -> None:
        assert await bus.recall("1") is None
        await bus.publish((), newest={"1": 4})
        await bus.remember("1", 3, b"three", seconds=60)
        assert await bus.recall("1") is None

    async def test_a_floor_never_falls(self, bus: Bus) -> None:
        await bus.recall("1")
        await bus.publish((), newest={"1": 2**53 - 1})
        await bus.publish((), newest={"1": 4})
        await bus.remember("1", 5, b"five", seconds=60)
        assert await bus.recall("1") is None

    async def test_what_is_void_is_so_before_its_message_is_read(self, bus: Bus) -> None:
        seen: list[asyncio.Task[bytes | None]] = []
        news = asyncio.Event()

        def receive(_: Sequence[Message]) -> None:
            seen.append(asyncio.ensure_future(bus.recall("1")))
            news.set()

        await bus.subscriber(receive).add(["job:1"])
        await bus.recall("1")
        await bus.remember("1", 3, b"three", seconds=60)
        await bus.publish(told("job:1", 4), newest={"1": 4})
        async with asyncio.timeout(10):
            await news.wait()
        assert await seen[0] is None
