"""The bus in memory: the suite, and what only one process does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.suites.bus import NOW, BusSuite, Reader, told
from tests.suites.presence import BRIEF, PresenceSuite

from jobcast.bus import memory
from jobcast.bus.base import (
    KEPT_MS,
    Bus,
    channel_topic,
    guest_topic,
    job_topic,
    login_topic,
    queue_topic,
    session_topic,
    tenant_topic,
)
from jobcast.bus.memory import MemoryBus


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    bus = MemoryBus()
    await bus.open()
    yield bus
    await bus.close()


@pytest.fixture
async def brief() -> Bus:
    return MemoryBus(lease=BRIEF)


class TestMemoryBus(BusSuite):
    """The behaviour of the bus port, in memory."""


class TestMemoryPresence(PresenceSuite):
    """Who is in channels, in memory."""


async def test_only_topics_with_a_reader_are_wanted(bus: Bus) -> None:
    assert await bus.wanted(["job:1"]) == set()
    one, two = await Reader(bus).follow("job:1", "job:2"), await Reader(bus).follow("job:1")
    assert await bus.wanted(["job:1", "job:2", "job:3"]) == {"job:1", "job:2"}
    await one.subscriber.close()
    assert await bus.wanted(["job:1", "job:2"]) == {"job:1"}
    await two.subscriber.remove(["job:1"])
    assert await bus.wanted(["job:1", "job:2"]) == set()


async def test_what_is_published_has_been_received_when_publish_returns(bus: Bus) -> None:
    reader = await Reader(bus).follow("job:1")
    await bus.publish(told("job:1", 1))
    assert reader.got == told("job:1", 1)


async def test_without_hints_nothing_is_received_and_history_is_kept() -> None:
    bus = MemoryBus(hints=False)
    reader = await Reader(bus).follow("job:1", "channel:t/chat")
    assert await bus.wanted(["job:1"]) == {"job:1"}
    await bus.publish(told("job:1", 1))
    assert (await bus.post("channel:t/chat", b"1", key=None, now=NOW)).offset == 1
    assert reader.got == []
    history = await bus.history("channel:t/chat", after=0, epoch=None, now=NOW)
    assert len(history.messages) == 1


async def test_a_closed_bus_reaches_nobody() -> None:
    bus = MemoryBus()
    reader = await Reader(bus).follow("job:1")
    await bus.close()
    await bus.publish(told("job:1", 1))
    await reader.subscriber.remove(["job:1"])
    assert reader.got == []


async def test_channels_beyond_the_limit_are_forgotten_the_most_silent_first(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever only looks at channels makes no more of them to remember, either."""
    monkeypatch.setattr(memory, "KEPT_CHANNELS", 3)
    epochs = {name: (await bus.post(name, b"", key=None, now=NOW)).epoch for name in "abc"}
    await bus.post("a", b"", key=None, now=NOW)
    await bus.post("d", b"", key=None, now=NOW)
    kept = await bus.history("a", after=0, epoch=epochs["a"], now=NOW)
    assert (kept.offset, kept.complete) == (2, True)
    forgotten = await bus.history("b", after=1, epoch=epochs["b"], now=NOW)
    assert (forgotten.offset, forgotten.complete) == (0, False)
    assert forgotten.epoch != epochs["b"]
    for n in range(10):
        await bus.history(f"curious {n}", after=0, epoch=None, now=NOW)
    gone = await bus.history("a", after=0, epoch=epochs["a"], now=NOW)
    assert not gone.complete


def test_topics_of_different_kinds_never_meet() -> None:
    kinds = [job_topic, tenant_topic, queue_topic, session_topic, login_topic]
    topics = {kind("x") for kind in kinds} | {channel_topic("x", "y"), guest_topic("x")}
    assert topics == {
        "job:x",
        "tenant:x",
        "queue:x",
        "session:x",
        "login:x",
        "channel:x/y",
        "guests/x",
    }
    assert channel_topic("a", "b:c") != channel_topic("a:b", "c")


async def test_all_histories_together_take_no_more_than_they_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES", 1_000)
    bus = MemoryBus()
    for number in range(50):
        await bus.post(channel_topic("acme", f"c{number % 20}"), b"x" * 100, key=None, now=NOW)
        assert bus._bytes == sum(kept.size for kept in bus._channels.values()) <= 1_000

    quiet = await bus.history(channel_topic("acme", "c19"), after=0, epoch="e", now=NOW)
    loud = await bus.history(channel_topic("acme", "c9"), after=0, epoch=None, now=NOW)

    assert (quiet.messages, quiet.complete) == ([], False)
    assert len(loud.messages) > 0
    await bus.history(channel_topic("acme", "c9"), after=0, epoch=None, now=NOW + 2 * KEPT_MS)
    assert bus._bytes == sum(kept.size for kept in bus._channels.values())
