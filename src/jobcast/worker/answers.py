"""The worker's side of a run in a child process: answers what the handler asks of its context."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, assert_never

from jobcast.domain.errors import TooLarge
from jobcast.worker.context import Calls
from jobcast.worker.pipe import (
    Answer,
    Ask,
    Cancel,
    Emit,
    Heartbeat,
    Jobs,
    Outcome,
    Pipe,
    PipeClosed,
    Publish,
    Raised,
    Returned,
    Save,
    Submit,
    refusal,
)

AT_ONCE: Final = 100
"""Calls of one run in progress; the child is not read while there are as many."""


async def serve(pipe: Pipe, calls: Calls, cancelled: asyncio.Event) -> Outcome:
    """Answers calls until the run's outcome comes; raises `PipeClosed` where none does.

    Emits are taken one after the other, each before any later call begins; other calls run side by
    side. What still runs when the outcome is there is cancelled. A cancel is handed on once.
    """
    room = asyncio.Semaphore(AT_ONCE)
    tasks = {asyncio.create_task(_hand_on(cancelled, pipe))}

    def over(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        room.release()

    try:
        while True:
            match await pipe.receive():
                case Returned() | Raised() as outcome:
                    return outcome
                case Emit() as ask:
                    await _answer(ask, pipe, calls)
                case ask:
                    await room.acquire()
                    task = asyncio.create_task(_answer(ask, pipe, calls))
                    tasks.add(task)
                    task.add_done_callback(over)
    finally:
        left = list(tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _hand_on(cancelled: asyncio.Event, pipe: Pipe) -> None:
    await cancelled.wait()
    with suppress(PipeClosed):
        await pipe.send(Cancel(stop=False))


async def _answer(ask: Ask, pipe: Pipe, calls: Calls) -> None:
    with suppress(PipeClosed):  # whoever reads the pipe sees it, too
        try:
            answer = Answer(ask.id, await _call(ask, calls))
        except Exception as problem:
            await pipe.send(refusal(ask, problem))
            return
        try:
            await pipe.send(answer)
        except (TooLarge, TypeError, ValueError) as problem:
            await pipe.send(refusal(ask, problem))


async def _call(ask: Ask, calls: Calls) -> Any:
    match ask:
        case Emit():
            return await calls.emit(ask.kind, ask.data)
        case Save():
            return await calls.save(ask.name, ask.data, ask.content_type)
        case Publish():
            return await calls.publish(ask.channel, ask.data)
        case Submit():
            return await calls.submit(ask.type, ask.payload, ask.options)
        case Jobs():
            return await calls.jobs(ask.since, ask.until, ask.limit)
        case Heartbeat():
            return await calls.heartbeat()
        case _:
            assert_never(ask)
