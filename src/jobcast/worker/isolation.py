"""Runs handlers in child processes, which a time-out, a cancel or a hard exit can take down.

One `Isolation` belongs to one worker. A child runs one job at a time. After a run that ended in
order it waits for the next job, of any type; after a cancel, a time-out or a death it is never used
again. Children don't outlive their worker: when it dies, their pipe closes, and they end at once.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final, assert_never

from jobcast.domain.job import Job
from jobcast.settings import Settings
from jobcast.worker.answers import serve
from jobcast.worker.context import Calls
from jobcast.worker.handler import Fail, JobType, PayloadError, Retry
from jobcast.worker.keeper import Child
from jobcast.worker.pipe import Cancel, Outcome, PipeClosed, Returned, Start
from jobcast.worker.portable import pack

GRACE: Final = 1.0
"""Seconds that a cancelled handler has for its cleanup."""

IDLE_SECONDS: Final = 60.0
"""A child without work ends after this."""

CLOSED_PIPE: Final = "The process of the handler closed its pipe to the worker, so it was ended."


class HandlerError(Exception):
    """A handler in a child raised. Its text is "TypeName: message"; `traceback` is for the log."""

    def __init__(self, text: str, traceback: str = "") -> None:
        super().__init__(text)
        self.traceback = traceback


class UnfitResult(ValueError):
    """What the handler returned is not JSON, or too large to be kept: trying again can't help."""


class ChildDied(Exception):
    """The process of a handler ended by itself; the text says how."""


class NotStarted(Exception):
    """The system refused another process: the handler has not run."""


class Isolation(AbstractAsyncContextManager["Isolation"]):
    """The child processes of one worker; leaving the context ends them all and waits for that.

    At most `max_idle` children (the number of cores) wait for work, each for `idle_seconds`. How
    many run at once is up to the callers of `run`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        grace: float = GRACE,
        max_idle: int | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._settings = settings
        self._grace = grace
        self._max_idle = (os.cpu_count() or 1) if max_idle is None else max_idle
        self._idle_seconds = idle_seconds
        self._busy: set[Child] = set()
        self._idle: dict[Child, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Isolation:
        # For a process that ends inside the context: multiprocessing waits for children at exit.
        atexit.register(self._kill)
        return self

    async def __aexit__(self, *_how: object) -> None:
        self._closing.set()
        for child in list(self._idle):
            self._dismiss(child)
        try:
            self._kill()
            await asyncio.gather(*(child.end() for child in self._busy), *self._leaving)
        finally:
            atexit.unregister(self._kill)

    async def run(self, kind: JobType, job: Job, calls: Calls, cancelled: asyncio.Event) -> str:
        """Runs the handler of `kind` in a child; returns its result as JSON text.

        `calls` answers what the handler asks of its context; `cancelled` is handed on to
        `ctx.cancelled`. Raises `Retry`, `Fail` and `PayloadError` as the handler did and
        `HandlerError` for any other exception; `UnfitResult` for a result that can't be kept,
        `ChildDied` for a process that ended by itself, `NotStarted` where there is none, and `Fail`
        for a handler that a child can't import.

        Cancelling the task that awaits this sets `ctx.cancelled`, cancels the handler, and after
        `grace` seconds ends its process; a second time at once. CancelledError is raised once the
        process is gone.
        """
        try:
            start = Start(pack(kind), job)
        except TypeError as problem:
            raise Fail(str(problem)) from None
        if self._closing.is_set():
            raise NotStarted("The worker is closing.")
        child = self._take(start.kind)
        talk = asyncio.create_task(_talk(child, start, calls, cancelled))
        try:
            await _either(talk, child)
            outcome = await self._conclude(child, talk)
        except asyncio.CancelledError:
            await _see_through(child, self._take_down(child, talk))
            raise
        finally:
            self._busy.discard(child)
        if self._closing.is_set():
            await child.end()
        elif cancelled.is_set() or len(self._idle) >= self._max_idle:
            self._dismiss(child)
        else:
            self._idle[child] = child.ended.get_loop().call_later(
                self._idle_seconds, self._dismiss, child
            )
        return _unwrap(outcome)

    def _take(self, kind: bytes) -> Child:
        """An idle child, best the newest that knows this kind already, else a new one."""
        waiting = [child for child in reversed(self._idle) if not child.ended.done()]
        waiting.sort(key=lambda child: child.last != kind)
        if waiting:
            child = waiting[0]
            self._idle.pop(child).cancel()
        else:
            child = Child(self._settings)
            child.ended.add_done_callback(partial(self._gone, child))
        child.last = kind
        self._busy.add(child)
        return child

    def _gone(self, child: Child, _ended: object) -> None:
        if child in self._idle:
            self._dismiss(child)

    def _dismiss(self, child: Child) -> None:
        timer = self._idle.pop(child, None)
        if timer is not None:
            timer.cancel()
        task = asyncio.create_task(child.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _conclude(self, child: Child, talk: asyncio.Task[Outcome]) -> Outcome:
        """The outcome, also of a child that is gone: it may stand in the pipe. Else `ChildDied`."""
        await asyncio.wait({talk}, timeout=self._grace)
        if not talk.done():
            await _drop(talk)
        elif (problem := talk.exception()) is None:
            return talk.result()
        elif not isinstance(problem, PipeClosed):
            await child.end()
            raise problem
        # A process closes its pipe a moment before it is gone; one that stays must not.
        await asyncio.wait({child.ended}, timeout=self._grace)
        stayed = not child.ended.done()
        await child.end()
        if child.failure is not None:
            raise NotStarted(f"The process for the handler could not be started: {child.failure}")
        raise ChildDied(CLOSED_PIPE if stayed else _epitaph(child.ended.result()))

    async def _take_down(self, child: Child, talk: asyncio.Task[Outcome]) -> None:
        with suppress(TimeoutError, PipeClosed):
            async with asyncio.timeout(self._grace):
                await (await child.pipe()).send(Cancel(stop=True))
                await _either(talk, child)
        await _drop(talk)
        await child.end()

    def _kill(self) -> None:
        for child in (*self._busy, *self._idle):
            child.signal(signal.SIGKILL)


async def _talk(child: Child, start: Start, calls: Calls, cancelled: asyncio.Event) -> Outcome:
    pipe = await child.pipe()
    await pipe.send(start)
    return await serve(pipe, calls, cancelled)


async def _either(talk: asyncio.Task[Outcome], child: Child) -> None:
    both: set[asyncio.Future[Any]] = {talk, child.ended}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)


async def _drop(talk: asyncio.Task[Outcome]) -> None:
    """Ends the talk; whatever came of it is of no interest any more."""
    talk.cancel()
    await asyncio.gather(talk, return_exceptions=True)


async def _see_through(child: Child, ending: Coroutine[Any, Any, None]) -> None:
    """Waits for `ending`; whoever cancels that wait gets a kill without any more grace."""
    task = asyncio.create_task(ending)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            child.signal(signal.SIGKILL)


def _unwrap(outcome: Outcome) -> str:
    if isinstance(outcome, Returned):
        return outcome.result
    match outcome.kind:
        case "retry":
            raise Retry(outcome.text, after=outcome.after)
        case "fail":
            raise Fail(outcome.text)
        case "payload":
            raise PayloadError(outcome.text)
        case "unfit":
            raise UnfitResult(outcome.text)
        case "other":
            raise HandlerError(outcome.text, outcome.traceback)
        case _:
            assert_never(outcome.kind)


def _epitaph(code: int | None) -> str:
    if code is None:
        return "The process of the handler ended by itself."
    if code >= 0:
        return f"The process of the handler ended by itself with exit code {code}."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; the system does so when memory runs out" if -code == signal.SIGKILL else ""
    return f"The process of the handler was killed by {name}{hint}."
