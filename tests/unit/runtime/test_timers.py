from __future__ import annotations

import asyncio

from jobcast.runtime.timers import Deadline, Timers

TICK = 0.01


async def called(timers: Timers, *seconds: float) -> list[float]:
    """When each deadline was met, in the order in which they were: as (asked, late by)."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    met: list[tuple[float, float]] = []
    over = asyncio.Event()

    def meet(asked: float) -> None:
        met.append((asked, loop.time() - began - asked))
        if len(met) == len(seconds):
            over.set()

    for asked in seconds:
        timers.after(asked, lambda asked=asked: meet(asked))  # type: ignore[misc]
    async with asyncio.timeout(10):
        await over.wait()
    assert all(late >= 0 for _, late in met)
    return [asked for asked, _ in met]


async def test_deadlines_are_met_in_their_order_and_never_early() -> None:
    assert await called(Timers(tick=TICK, exact=0), 0.09, 0.03, 0.06, 0.0) == [
        0.0,
        0.03,
        0.06,
        0.09,
    ]


async def test_a_nearer_deadline_that_comes_later_is_met_first() -> None:
    timers = Timers(tick=TICK, exact=0)
    far = timers.after(60, lambda: None)
    assert await called(timers, 0.01) == [0.01]
    far.cancel()


async def test_what_was_cancelled_is_not_called() -> None:
    timers = Timers(tick=TICK, exact=0)
    calls: list[str] = []
    cancelled = timers.after(0.01, lambda: calls.append("no"))
    cancelled.cancel()
    cancelled.cancel()
    await called(timers, 0.03)
    assert calls == []


async def test_one_call_may_cancel_another_of_its_tick_and_set_new_ones() -> None:
    timers = Timers(tick=TICK, exact=0)
    calls: list[str] = []
    both: list[Deadline | asyncio.TimerHandle] = []

    def first() -> None:
        calls.append("one of them")
        for deadline in both:
            deadline.cancel()
        timers.after(0.01, lambda: calls.append("a new one"))

    both += [timers.after(0.01, first), timers.after(0.01, first)]
    await called(timers, 0.06)
    assert calls == ["one of them", "a new one"]


async def test_ticks_in_which_nothing_is_left_are_forgotten() -> None:
    timers = Timers(tick=TICK, exact=0)
    for n in range(1_000):
        timers.after(10 + n, lambda: None).cancel()
    await called(timers, 0.01)
    assert timers._buckets == {}


async def test_what_is_near_is_left_to_the_loop() -> None:
    timers = Timers(tick=60, exact=0.5)
    assert await called(timers, 0.02, 0.01) == [0.01, 0.02]
    assert isinstance(timers.after(0.4, print), asyncio.TimerHandle)
    assert isinstance(timers.after(0.5, print), Deadline)
