"""Loops: they tick when nudged and by themselves, outlive failures, and stop in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.runtime import loops
from jobcast.runtime.loops import Ticker, jittered

NEVER = 3_600.0
"""Seconds: no test waits for this poll."""


class Work:
    """A tick that counts, and does what the test gave it to do."""

    def __init__(self, *scripts: Callable[[], bool | None]) -> None:
        self.count = 0
        self.times: list[float] = []
        self._scripts = list(scripts)
        self._ticked = asyncio.Event()

    async def tick(self) -> bool | None:
        self.count += 1
        self.times.append(asyncio.get_running_loop().time())
        self._ticked.set()
        await asyncio.sleep(0)
        return self._scripts.pop(0)() if self._scripts else None

    async def ticked(self, count: int) -> None:
        """Returns when there have been so many ticks."""
        async with asyncio.timeout(10):
            while self.count < count:
                self._ticked.clear()
                await self._ticked.wait()


def fail() -> bool | None:
    raise LookupError("the database is away")


async def test_the_first_tick_comes_at_once_and_the_next_when_nudged() -> None:
    work = Work()
    async with Ticker("t", work.tick, every=NEVER) as ticker:
        await work.ticked(1)
        ticker.nudge()
        await work.ticked(2)
    assert work.count == 2


async def test_a_loop_that_nobody_nudges_polls() -> None:
    work = Work()
    async with Ticker("t", work.tick, every=0.001):
        await work.ticked(5)


async def test_a_tick_with_more_to_do_is_repeated_at_once() -> None:
    work = Work(lambda: True, lambda: True, lambda: False)
    async with Ticker("t", work.tick, every=NEVER):
        await work.ticked(3)
    assert work.count == 3


async def test_nudges_during_a_tick_are_remembered_as_one() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()
    count = 0

    async def tick() -> None:
        nonlocal count
        count += 1
        begun.set()
        await gate.wait()

    async with Ticker("t", tick, every=NEVER) as ticker:
        await begun.wait()
        for _ in range(5):
            ticker.nudge()
        begun.clear()
        gate.set()
        await begun.wait()
        # Nothing is left to be remembered: the loop is idle until the next nudge.
        assert count == 2
        begun.clear()
        ticker.nudge()
        await begun.wait()
    assert count == 3


async def test_a_tick_that_fails_is_tried_again_ever_later_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "BACKOFF_CAP", 0.15)
    work = Work(fail, fail, fail, lambda: None, fail)
    async with Ticker("t", work.tick, every=NEVER) as ticker:
        await work.ticked(4)
        waits = [after - before for before, after in zip(work.times, work.times[1:], strict=False)]
        assert ticker.failures == 3
        assert waits[0] >= 0.09
        assert min(waits[1:]) >= 0.14
        # A success begins the waits anew, and a nudge is not answered before its time.
        ticker.nudge()
        await work.ticked(5)
        ticker.nudge()
        await work.ticked(6)
        assert work.times[5] - work.times[4] >= 0.09
    assert ticker.failures == 4


async def test_to_stop_lets_the_tick_finish() -> None:
    begun, gate = asyncio.Event(), asyncio.Event()
    done = []

    async def tick() -> bool:
        begun.set()
        await gate.wait()
        done.append(True)
        return True  # more to do, but not any more

    ticker = Ticker("t", tick, every=NEVER)
    await ticker.__aenter__()
    await begun.wait()
    stopping = asyncio.create_task(ticker.__aexit__(None, None, None))
    await asyncio.sleep(0)
    assert not stopping.done()
    gate.set()
    await stopping
    assert done == [True]


async def test_to_stop_waits_for_no_poll_and_no_back_off() -> None:
    work = Work(fail, fail, fail, fail, fail, fail, fail, fail)
    async with asyncio.timeout(10):
        async with Ticker("t", Work().tick, every=NEVER):
            pass
        async with Ticker("t", work.tick, every=NEVER):
            await work.ticked(2)


async def test_to_leave_before_it_began_is_fine() -> None:
    await Ticker("t", Work().tick, every=NEVER).__aexit__(None, None, None)


@given(st.floats(0.01, 3_600), st.floats(0, 1, exclude_max=True))
def test_polls_come_a_quarter_early_or_late(seconds: float, chance: float) -> None:
    assert seconds * 0.75 <= jittered(seconds, chance=chance) <= seconds * 1.25
