"""Threads for plain handlers: as many as are needed, used again, never in anybody's way."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.house import LONG

from jobcast.worker.threads import Notice, Threads

request_id = contextvars.ContextVar("request_id", default="none")


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads()
    yield made
    made.close()


def crowd() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("jobcast-handler-")]


async def test_a_call_answers_what_it_returns(threads: Threads) -> None:
    assert await threads(lambda: 6 * 7) == 42


@pytest.mark.parametrize("problem", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
async def test_a_call_raises_what_it_raises(threads: Threads, problem: BaseException) -> None:
    def call() -> None:
        raise problem

    with pytest.raises(type(problem)):
        await threads(call)


async def test_stop_iteration_which_no_future_carries_is_told(threads: Threads) -> None:
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        await threads(lambda: next(iter(())))


async def test_a_call_sees_the_context_of_its_caller(threads: Threads) -> None:
    request_id.set("r1")
    assert await threads(request_id.get) == "r1"


async def test_all_run_at_once_however_many(threads: Threads) -> None:
    together = threading.Barrier(50)
    await asyncio.gather(*(threads(lambda: together.wait(LONG)) for _ in range(50)))


@pytest.mark.parametrize("look", [Notice.is_set, Notice.wait])
def test_a_notice_remembers_that_it_was_seen_set(look: Callable[[Notice], bool]) -> None:
    notice, unseen = Notice(), Notice()
    assert not notice.is_set() | notice.wait(0) | notice.seen
    for one in (notice, unseen):
        one.set()
    assert look(notice) & notice.seen
    assert not unseen.seen


async def test_idle_threads_are_used_again(threads: Threads) -> None:
    before = set(crowd())
    for _ in range(100):
        await threads(lambda: None)
        await asyncio.to_thread(lambda: None)  # the thread is idle a moment after its answer
    assert len(set(crowd()) - before) < 20


async def test_they_are_daemons_and_end_when_closed() -> None:
    threads = Threads()
    mine: threading.Thread = await threads(threading.current_thread)
    assert mine.daemon
    threads.close()
    await asyncio.to_thread(mine.join, LONG)
    assert not mine.is_alive()


async def test_an_answer_for_a_loop_that_is_gone_is_dropped() -> None:
    threads, go = Threads(), threading.Event()
    thread: list[threading.Thread] = []

    async def main() -> None:
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def call() -> None:
            thread.append(threading.current_thread())
            loop.call_soon_threadsafe(begun.set)
            go.wait(LONG)

        threads(call)
        await begun.wait()

    await asyncio.to_thread(asyncio.run, main())
    go.set()
    threads.close()
    await asyncio.to_thread(thread[0].join, LONG)
    assert not thread[0].is_alive()


async def test_nobody_minds_when_the_caller_no_longer_waits(threads: Threads) -> None:
    go = threading.Event()
    future: asyncio.Future[Any] = threads(lambda: go.wait(LONG))
    future.cancel()
    go.set()
    assert await threads(lambda: "next") == "next"
