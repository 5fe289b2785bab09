"""What a run writes: coalesced, bounded, in order, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.house import ACME, LONG, House

from jobcast.app import App
from jobcast.domain.job import EventType, Fence
from jobcast.domain.lifecycle import Succeeded
from jobcast.store.base import Changed, Draft, Finish
from jobcast.worker.journal import BUFFER_CHARACTERS, BUFFER_LIMIT, PROGRESS_EVERY, Journal


class Desk:
    """A running job and its journal, in a house whose worker is not at work."""

    def __init__(self, house: House, fence: Fence) -> None:
        self.house = house
        self.fence = fence
        self.losses = 0
        self.rest: list[Draft] | None = None
        self.journal = Journal(fence, house.tools.appender, house.clock, self._lose)

    def _lose(self) -> None:
        self.losses += 1

    async def log(self, text: str) -> None:
        await self.journal.write(EventType.LOG, f'{{"message":"{text}","level":"info"}}')

    async def progress(self, percent: int) -> None:
        await self.journal.write(EventType.PROGRESS, f'{{"percent":{percent},"note":null}}')

    def close(self) -> None:
        def then(drafts: object) -> None:
            self.rest = list(drafts)  # type: ignore[call-overload]

        self.journal.close(then)

    async def said(self, kind: EventType = EventType.LOG) -> list[object]:
        return await self.house.said(self.fence.job_id, kind)

    async def written(self, count: int) -> list[object]:
        """The log, once it has so many lines."""
        return await self.house.until(self.said, lambda lines: len(lines) >= count)

    async def finish(self) -> Changed | None:
        ending = Finish(self.fence, Succeeded("null"), tuple(self.rest or ()))
        return (await self.house.store.finish([ending]))[0]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    house = await House(tmp_path, App()).open()
    await house.store.open_session("s", name="s")
    job_id = await house.submit("work")
    await house.store.claim("s", queues=None, cursors={}, limit=1)
    made = Desk(house, Fence(job_id, 1, "s"))
    yield made
    await house.__aexit__()


def percents(desk: Desk) -> list[object]:
    return [draft.data.partition(",")[0].partition(":")[2] for draft in desk.rest or []]


async def test_lines_keep_their_order_over_many_batches(desk: Desk) -> None:
    for number in range(100):
        await desk.log(str(number))
        if number % 7 == 0:
            await asyncio.sleep(0)
    assert await desk.written(100) == [str(number) for number in range(100)]
    assert desk.house.store.uses["append"] < 100


async def test_progress_is_told_ten_times_a_second_and_the_last_one_always(desk: Desk) -> None:
    for percent in range(50):
        await desk.progress(percent)
    desk.close()
    assert percents(desk) == ["0", "49"]


async def test_progress_after_a_while_is_told_at_once(desk: Desk) -> None:
    await desk.progress(1)
    desk.house.fake.advance(PROGRESS_EVERY)
    await desk.progress(2)
    desk.close()
    assert percents(desk) == ["1", "2"]


async def test_progress_that_was_held_is_told_when_its_time_comes(desk: Desk) -> None:
    await desk.progress(1)
    await desk.progress(2)
    said = await desk.house.until(lambda: desk.said(EventType.PROGRESS), lambda s: len(s) == 2)
    assert said == [1, 2]


async def test_a_full_buffer_makes_the_handler_wait_for_the_store(desk: Desk) -> None:
    gate = desk.house.store.shut("append")
    count = 0

    async def write() -> None:
        nonlocal count
        while count < 3 * BUFFER_LIMIT:
            await desk.log(str(count))
            count += 1

    writer = asyncio.create_task(write())
    await asyncio.wait({writer}, timeout=0.1)
    assert BUFFER_LIMIT <= count <= 2 * BUFFER_LIMIT
    gate.set()
    async with asyncio.timeout(LONG):
        await writer
    assert await desk.written(count) == [str(number) for number in range(count)]


async def test_a_buffer_is_full_of_few_large_lines_too(desk: Desk) -> None:
    gate = desk.house.store.shut("append")
    await desk.log("x" * BUFFER_CHARACTERS)
    await asyncio.sleep(0)  # that one is on its way
    await desk.log("x" * BUFFER_CHARACTERS)
    waiting = asyncio.create_task(desk.log("one more"))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    gate.set()
    async with asyncio.timeout(LONG):
        await waiting


async def test_progress_in_a_full_buffer_waits_as_one(desk: Desk) -> None:
    desk.house.store.fails["append"] = 1_000_000
    for number in range(BUFFER_LIMIT):
        await desk.log(str(number))
    for percent in range(20):
        desk.house.fake.advance(1)
        await desk.progress(percent)
    desk.close()
    await desk.house.until(desk.said, lambda _: desk.rest is not None)
    assert desk.rest is not None
    assert len(desk.rest) == BUFFER_LIMIT + 1
    assert percents(desk)[-1] == "19"


async def test_appends_that_fail_lose_nothing_and_keep_the_order(desk: Desk) -> None:
    desk.house.store.fails["append"] = 5
    with capture_logs() as logs:
        for number in range(20):
            await desk.log(str(number))
            await desk.house.store.changed() if number == 3 else None
        assert await desk.written(20) == [str(number) for number in range(20)]
    assert [line["event"] for line in logs] == ["append failed"] * 5


async def test_what_is_closed_while_an_append_fails_is_written_once(desk: Desk) -> None:
    gate = desk.house.store.shut("append")
    desk.house.store.fails["append"] = 1
    await desk.log("a")
    await asyncio.sleep(0)
    desk.close()
    assert desk.rest is None, "it waits for what is on its way"
    gate.set()
    await desk.house.until(desk.said, lambda _: desk.rest is not None)
    # The end of the run is late, so that the appender would have the time to do it again.
    await desk.house.store.write(lambda conn: None)
    other = Journal(desk.fence, desk.house.tools.appender, desk.house.clock, lambda: None)
    await other.write(EventType.LOG, '{"message":"b","level":"info"}')
    await desk.written(1)
    assert await desk.finish() is not None
    assert sorted(map(str, await desk.said())) == ["a", "b"]


async def test_what_comes_after_the_close_is_dropped(desk: Desk) -> None:
    desk.close()
    await desk.log("too late")
    await desk.progress(99)
    assert desk.rest == []
    assert desk.house.store.uses["append"] == 0


async def test_a_writer_that_waits_for_room_is_let_go_by_the_close(desk: Desk) -> None:
    desk.house.store.shut("append")
    for number in range(BUFFER_LIMIT):
        await desk.log(str(number))
    await asyncio.sleep(0)  # those are on their way
    for number in range(BUFFER_LIMIT):
        await desk.log(str(number))
    waiting = asyncio.create_task(desk.log("too late"))
    await asyncio.sleep(0)
    desk.close()
    async with asyncio.timeout(LONG):
        await waiting
    desk.house.store.gates["append"].set()
    await desk.house.until(desk.said, lambda _: desk.rest is not None)
    assert desk.rest is not None
    assert len(desk.rest) == BUFFER_LIMIT


async def test_a_run_that_was_taken_by_another_is_told(desk: Desk) -> None:
    await desk.house.store.close_session("s")
    await desk.log("stale")
    await desk.house.until(desk.said, lambda _: desk.losses > 0)
    assert desk.losses == 1
    assert await desk.said() == []


async def test_what_is_written_is_announced_to_watchers_in_its_order(desk: Desk) -> None:
    heard: list[int] = []
    watcher = desk.house.bus.subscriber(lambda batch: heard.extend(m.number for m in batch))
    await watcher.add([f"job:{desk.fence.job_id}", f"tenant:{ACME.tenant_id}"])
    for number in range(10):
        await desk.log(str(number))
    await desk.written(10)
    await desk.log("last")
    await desk.written(11)
    desk.close()
    await desk.house.until(desk.said, lambda _: len(heard) >= 11)
    assert heard == list(range(3, 14))


async def test_a_flight_that_is_cancelled_gives_back_what_it_took(desk: Desk) -> None:
    desk.house.store.shut("append")
    await desk.log("a")
    await asyncio.sleep(0)
    flight = desk.house.tools.appender._flight
    assert flight is not None
    flight.cancel()
    await asyncio.wait({flight})
    desk.house.store.gates["append"].set()
    await desk.log("b")
    assert await desk.written(2) == ["a", "b"]
