"""Batches that clock themselves: who comes while a flush is under way shares the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from jobcast.runtime.batcher import Batcher, Overloaded


class Desk:
    """A flush that is let through when the test says so, and keeps what it got."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.spoil: dict[int, Exception] = {}
        self._begun = asyncio.Event()
        self._gates: list[asyncio.Future[None]] = []

    async def flush(self, items: Sequence[int]) -> Sequence[int | Exception]:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.batches.append(list(items))
        self._gates.append(gate)
        self._begun.set()
        await gate
        return [self.spoil.get(item, item * 10) for item in items]

    async def begun(self, count: int) -> None:
        """Returns when so many flushes have begun."""
        async with asyncio.timeout(10):
            while len(self._gates) < count:
                self._begun.clear()
                await self._begun.wait()

    def let(self, which: int, problem: BaseException | None = None) -> None:
        """Lets a flush go on, or fail."""
        if problem is None:
            self._gates[which].set_result(None)
        else:
            self._gates[which].set_exception(problem)


async def echo(items: Sequence[int]) -> Sequence[int]:
    return [item * 10 for item in items]


async def test_a_single_item_is_flushed_at_once() -> None:
    assert await Batcher[int, int](echo)(4) == 40


async def test_one_caller_after_another_never_waits_for_others() -> None:
    """Whoever is woken by an answer puts its next item before the flight is over."""
    batcher = Batcher[int, int](echo)
    async with asyncio.timeout(10):
        assert [await batcher(n) for n in range(50)] == [n * 10 for n in range(50)]


async def test_those_who_are_ready_now_share_the_first_flush() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush)
    waiting = [batcher.put(n) for n in range(5)]
    await desk.begun(1)
    assert desk.batches == [[0, 1, 2, 3, 4]]
    desk.let(0)
    assert await asyncio.gather(*waiting) == [0, 10, 20, 30, 40]


async def test_those_who_come_meanwhile_share_the_next() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush)
    first = batcher.put(1)
    await desk.begun(1)
    later = [batcher.put(n) for n in (2, 3, 4)]
    desk.let(0)
    assert await first == 10
    await desk.begun(2)
    desk.let(1)
    assert await asyncio.gather(*later) == [20, 30, 40]
    assert desk.batches == [[1], [2, 3, 4]]


async def test_a_batch_is_no_larger_than_its_limit() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush, limit=2)
    waiting = [batcher.put(n) for n in range(5)]
    for n in range(3):
        await desk.begun(n + 1)
        desk.let(n)
    assert await asyncio.gather(*waiting) == [0, 10, 20, 30, 40]
    assert desk.batches == [[0, 1], [2, 3], [4]]


async def test_several_flights_can_be_under_way() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush, limit=2, in_flight=2)
    waiting = [batcher.put(n) for n in range(6)]
    await desk.begun(2)
    assert desk.batches == [[0, 1], [2, 3]]
    desk.let(1)
    await desk.begun(3)
    desk.let(0)
    desk.let(2)
    assert await asyncio.gather(*waiting) == [0, 10, 20, 30, 40, 50]


async def test_one_too_many_is_refused_and_counted() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush, capacity=2)
    first = batcher.put(0)
    await desk.begun(1)
    waiting = [batcher.put(n) for n in (1, 2)]
    with pytest.raises(Overloaded, match="2 items wait"):
        await batcher(3)
    assert batcher.refused == 1
    desk.let(0)
    assert await first == 0
    await desk.begun(2)
    fits = batcher.put(3)
    desk.let(1)
    await desk.begun(3)
    desk.let(2)
    assert await asyncio.gather(*waiting, fits) == [10, 20, 30]


async def test_an_answer_that_is_an_error_reaches_its_caller_alone() -> None:
    desk = Desk()
    desk.spoil[2] = LookupError("two")
    batcher = Batcher(desk.flush)
    waiting = [batcher.put(n) for n in (1, 2, 3)]
    await desk.begun(1)
    desk.let(0)
    one, two, three = await asyncio.gather(*waiting, return_exceptions=True)
    assert (one, three) == (10, 30)
    assert isinstance(two, LookupError)


async def test_a_flush_that_fails_reaches_all_of_its_batch_and_no_other() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush)
    first = [batcher.put(n) for n in (1, 2)]
    await desk.begun(1)
    second = batcher.put(3)
    desk.let(0, LookupError("all"))
    failed = await asyncio.gather(*first, return_exceptions=True)
    assert [type(problem) for problem in failed] == [LookupError] * 2
    await desk.begun(2)
    desk.let(1)
    assert await second == 30


async def test_a_flush_that_answers_for_too_few_fails_those_it_left_out() -> None:
    async def lazy(items: Sequence[int]) -> Sequence[int]:
        return [0 for _ in items[1:]]

    batcher = Batcher[int, int](lazy)
    async with asyncio.timeout(10):
        answers = await asyncio.gather(batcher(1), batcher(2), return_exceptions=True)
    assert answers[0] == 0
    assert isinstance(answers[1], ValueError)


async def test_a_caller_that_gives_up_harms_no_other() -> None:
    desk = Desk()
    desk.spoil[4] = LookupError("nobody hears it")
    batcher = Batcher(desk.flush)
    waits = asyncio.create_task(batcher(1))
    stays = asyncio.create_task(batcher(2))
    await desk.begun(1)
    queued, failing, goes_on = (asyncio.create_task(batcher(n)) for n in (3, 4, 5))
    await asyncio.sleep(0)
    for task in (waits, queued, failing):
        task.cancel()
    desk.let(0)
    await desk.begun(2)
    desk.let(1)
    assert await stays == 20
    assert await goes_on == 50
    assert desk.batches == [[1, 2], [3, 4, 5]], "what was put still takes effect"
    for task in (waits, queued, failing):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_callers_that_gave_up_are_not_told_of_a_failure() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush)
    task = asyncio.create_task(batcher(1))
    await desk.begun(1)
    task.cancel()
    desk.let(0, LookupError("too late"))
    with pytest.raises(asyncio.CancelledError):
        await task
    await batcher.drained()


async def test_a_flush_that_is_cancelled_lets_nobody_hang() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush)
    waiting = [batcher.put(n) for n in (1, 2)]
    await desk.begun(1)
    desk.let(0, asyncio.CancelledError())
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError] * 2
    after = batcher.put(3)
    await desk.begun(2)
    desk.let(1)
    assert await after == 30


async def test_drained_returns_when_nothing_waits_or_flies() -> None:
    desk = Desk()
    batcher = Batcher(desk.flush, limit=1)
    await batcher.drained()
    waiting = [batcher.put(n) for n in (1, 2)]
    drained = asyncio.create_task(batcher.drained())
    await desk.begun(1)
    assert not drained.done()
    desk.let(0)
    await desk.begun(2)
    assert not drained.done()
    desk.let(1)
    await drained
    assert all(future.done() for future in waiting)
